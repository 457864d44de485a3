"""The settings in the page's address: a reload, or a link that somebody was sent, brings them back. Never a picture."""

import json
from collections.abc import Mapping
from typing import Any

from autochrome.catalog import Catalog, Row
from autochrome.errors import AutochromeError
from autochrome.pipelines import Setting
from autochrome.ui.colorize.controls import SETTINGS
from autochrome.ui.studio import Studio


def address_script(catalog: Catalog, default: Row) -> str:
    """JavaScript for the browser: a function of model and settings that writes those that are not the default.

    It takes the model and then the settings in the order of `SETTINGS`. No request is made.
    """
    defaults = {
        row.id: {name: setting.default for name, setting in row.settings.items() if name in SETTINGS} for row in catalog
    }
    return f"""(model, ...values) => {{
      const names = {json.dumps(SETTINGS)}, defaults = {json.dumps(defaults)}[model] ?? {{}};
      const url = new URL(window.location.href);
      for (const name of ["model", ...names]) url.searchParams.delete(name);
      if (model && model !== {json.dumps(default.id)}) url.searchParams.set("model", model);
      names.forEach((name, index) => {{
        const value = values[index];
        const isGiven = value !== null && (value !== "" || typeof defaults[name] === "string");
        if (name in defaults && isGiven && value !== defaults[name])
          url.searchParams.set(name, value);
      }});
      window.history.replaceState(window.history.state, "", url);
    }}"""


def read_address(studio: Studio, query: Mapping[str, str]) -> tuple[Row, dict[str, Any], list[str]] | None:
    """Model and settings that an address names; None when it names none.

    Returns:
        The row, its settings by name, and a sentence for each entry that cannot be used.
    """
    asked = {name: str(query[name]) for name in SETTINGS if name in query}
    if not asked and "model" not in query:
        return None
    row, complaints = studio.default_row(), []
    try:
        named = studio.row(query.get("model"))
        reason = studio.absent_reason(named, directed=True)
        if reason is None:
            row = named
        else:
            complaints.append(f"{named.name} is not available here. {reason}")
    except AutochromeError as error:
        complaints.append(str(error))
    settings = {}
    for name, text in asked.items():
        try:
            if name in row.settings:
                settings[name] = row.settings[name].check(_value(text, row.settings[name]))
            else:
                complaints.append(f"{row.name} takes no {name}")
        except AutochromeError as error:
            complaints.append(str(error))
    return row, settings, complaints


def _value(text: str, setting: Setting) -> object:
    """The text of an address as a value of the setting's kind; as it came when it is none."""
    if isinstance(setting.default, bool):
        return {"true": True, "false": False}.get(text, text)
    try:
        if isinstance(setting.default, int):
            return int(text)
        return float(text) if isinstance(setting.default, float) else text
    except ValueError:
        return text
