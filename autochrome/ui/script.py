"""What Gradio leaves out: a picture pasted anywhere on the page, and arrow keys for the line of before and after."""

PAGE_SCRIPT = """
() => {
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
    const input = document.querySelector("#photograph input[type=file]");
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
  new MutationObserver(() => {
    const handle = document.querySelector("#before-after [data-testid=slider]:not([tabindex])");
    if (!handle) return;
    handle.tabIndex = 0;
    handle.setAttribute("role", "slider");
    handle.setAttribute("aria-label", "Line between before and after");
    handle.setAttribute("aria-valuetext", "The arrow keys move it: photograph left, result right");
    handle.addEventListener("keydown", (event) => {
      if (!(event.key in reach)) return;
      event.preventDefault();
      drag(handle, reach[event.key] * handle.parentElement.clientWidth);
    });
  }).observe(document.body, { childList: true, subtree: true });
}
"""
