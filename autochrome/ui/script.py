"""What Gradio leaves out: pictures pasted anywhere, arrow keys for the lines between two pictures, and live regions."""

PAGE_SCRIPT = """
() => {
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
    // The tabs that are not open are hidden: the picture goes to the one that is.
    const inputs = document.querySelectorAll(":is(#photograph, #compare-photograph) input[type=file]");
    const input = [...inputs].find((each) => each.closest(".block").offsetParent);
    if (!file || !input) return;
    const transfer = new DataTransfer();
    transfer.items.add(file);
    input.files = transfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    event.preventDefault();
  });

  const drag = (handle, distance) => {
    const box = handle.getBoundingClientRect();
    const x = box.left + box.width / 2, y = box.top + box.height / 2;
    const fire = (target, type, at) => target.dispatchEvent(
      new MouseEvent(type, { bubbles: true, cancelable: true, view: window, clientX: at, clientY: y }));
    fire(handle, "mousedown", x);
    fire(window, "mousemove", x + distance);
    fire(window, "mouseup", x + distance);
  };
  const reach = { ArrowLeft: -0.05, ArrowRight: 0.05, Home: -1, End: 1 };
  const spoken = ["status", "compare-status", "batch-status"];
  new MutationObserver(() => {
    for (const id of spoken) document.getElementById(id)?.setAttribute("aria-live", "polite");
    for (const caption of document.querySelectorAll(".thumbnail-item .caption-label")) {
      const button = caption.closest(".thumbnail-item"), name = caption.textContent.trim();
      if (name && button.ariaLabel !== name) button.ariaLabel = name;  // Gradio's own says "Thumbnail 1 of 4"
    }
    const lines = document.querySelectorAll(":is(#before-after, #compare-slider) [data-testid=slider]:not([tabindex])");
    for (const handle of lines) {
      handle.tabIndex = 0;
      handle.setAttribute("role", "slider");
      handle.setAttribute("aria-label", "Line between left and right picture");
      handle.setAttribute("aria-valuetext", "The arrow keys move it");
      handle.addEventListener("keydown", (event) => {
        if (!(event.key in reach)) return;
        event.preventDefault();
        drag(handle, reach[event.key] * handle.parentElement.clientWidth);
      });
    }
  }).observe(document.body, { childList: true, subtree: true });
}
"""
