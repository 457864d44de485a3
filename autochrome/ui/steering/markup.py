"""What the two places of the page hold before the script fills them: the easel on the stage, and the tools beside."""

EASEL = """
<div class="easel steer" hidden>
  <div class="easel-tools" role="toolbar" aria-label="Drawing">
    <label>Color <input type="color" id="steer-color" value="#b5482f" aria-label="Current color"></label>
    <input type="text" id="steer-hex" value="#b5482f" maxlength="7" size="8" spellcheck="false"
      aria-label="Current color as #rrggbb">
    <button type="button" id="steer-dropper" aria-pressed="false"
      title="The next click in the picture takes its color from there">Pick up</button>
    <label>Size <input type="range" id="steer-radius" min="0.4" max="8" step="0.2" value="1"
      aria-label="Brush size, radius in percent of the shorter side"></label>
    <span class="easel-group">
      <button type="button" id="steer-undo" disabled title="Ctrl+Z">Undo</button>
      <button type="button" id="steer-redo" disabled title="Ctrl+Shift+Z">Redo</button>
      <button type="button" id="steer-clear" disabled>Clear</button>
    </span>
  </div>
  <div class="easel-frame"><div class="easel-picture">
    <img class="easel-result" alt="The photograph, colored as directed">
    <img class="easel-doubt" alt="" hidden>
    <canvas tabindex="0" role="application" aria-describedby="steer-help"
      aria-label="Picture to draw on: arrow keys move the cross, Enter puts a point"></canvas>
    <button type="button" class="easel-ring" hidden
      aria-label="What color is this? Put a point of the current color here"></button>
  </div></div>
  <div class="easel-tools">
    <button type="button" id="steer-suggest" aria-pressed="false" hidden>What color is this?</button>
    <button type="button" id="steer-doubt" aria-pressed="false" hidden>Show where it guesses</button>
    <button type="button" id="steer-another">Another photograph</button>
    <span class="easel-legend" id="steer-legend"></span>
  </div>
  <p class="easel-help" id="steer-help">Click to put a point, drag for a stroke, click a point to select it: drag moves
    it, Delete removes it, the color field recolors it. The picture here is a quick preview.</p>
  <p class="easel-message" id="steer-message" role="alert"></p>
  <ul class="easel-notes" id="steer-notes" aria-live="polite"></ul>
  <p class="sr" id="steer-said" aria-live="polite"></p>
</div>
"""

SIDE = """
<div class="steer-side steer" hidden>
  <section id="steer-points" aria-label="Points and strokes">
    <h3>Points and strokes</h3>
    <ol id="steer-list"></ol>
    <form id="steer-add" class="steer-line" novalidate>
      <label>x % <input type="number" id="steer-x" min="0" max="100" step="0.1" value="50"></label>
      <label>y % <input type="number" id="steer-y" min="0" max="100" step="0.1" value="50"></label>
      <button type="submit">Add a point</button>
    </form>
  </section>
  <section id="steer-palette-part" aria-label="Palette">
    <h3>Palette</h3>
    <div id="steer-palette" class="steer-line"></div>
    <div class="steer-line">
      <input type="text" id="steer-palette-hex" placeholder="#rrggbb" maxlength="7" size="8" spellcheck="false"
        aria-label="A color for the palette, as #rrggbb">
      <button type="button" id="steer-palette-add">Add</button>
      <button type="button" id="steer-palette-current">Add current</button>
      <label class="steer-file">From a picture<input type="file" id="steer-palette-file" accept="image/*"></label>
    </div>
  </section>
  <section id="steer-exemplar-part" aria-label="Exemplar">
    <h3>Exemplar</h3>
    <p>A color picture to take colors from. Click in it to pick one up.</p>
    <div id="steer-exemplar" hidden><canvas id="steer-exemplar-picture" tabindex="0" role="img"></canvas>
      <button type="button" id="steer-exemplar-remove">Remove the exemplar</button></div>
    <div class="steer-line">
      <label class="steer-file">Choose a picture<input type="file" id="steer-exemplar-file" accept="image/*"></label>
    </div>
  </section>
  <section aria-label="Session">
    <h3>Session</h3>
    <p>Points, palette and prompt as a JSON file. An exemplar is not in it: keep that picture beside.</p>
    <div class="steer-line">
      <button type="button" id="steer-save">Save</button>
      <label class="steer-file">Load<input type="file" id="steer-load" accept=".json,application/json"></label>
    </div>
  </section>
</div>
"""
