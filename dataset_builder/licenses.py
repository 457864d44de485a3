"""What the licenses that sources state mean: the Hub's name for each, and whether its pictures may be shown."""

import re

SHOWABLE = ("CC0", "public domain", "CC BY", "CC BY-SA")
"""Pictures under these licenses, of any version, may be shrunk and published by anybody; CC BY and CC BY-SA ask that
the author be named. Not those with NC or ND: a card is read for profit too, and a grey thumbnail is a derivative."""

_HUB_NAMES = frozenset(
    {
        *("cc0-1.0", "pddl", "mit", "apache-2.0", "unlicense", "odbl", "odc-by", "unknown", "other"),
        *("cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"),
        *("cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0"),
        *("cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"),
    }
)
_WORDS = {"attribution": "by", "sharealike": "sa", "noncommercial": "nc", "noderivs": "nd", "noderivatives": "nd"}
_PUBLIC_DOMAIN = re.compile(
    r"public[ -]?domain\b|pdm?\b|no known copyright restrictions|united states government work|"
    r".*creativecommons\.org/publicdomain/mark/"
)
_CREATIVE_COMMONS = re.compile(
    r"(?:cc|creative commons) by((?: (?:nc|nd|sa))*)(?: (\d\.\d))?(?: (?:international|generic|unported|license))*"
)
_CC0 = re.compile(r"cc[ -]?(?:0|zero)(?:[ -]1\.0)?(?:[ :]+(?:universal|public domain|license))*")


def normalize_license(text: str) -> str:
    """One name for the many spellings of a license, in the manner of the Hub: `cc-by-sa-4.0`, `cc0-1.0`, `mit`.

    "Attribution-ShareAlike License" (Flickr's words, version 2.0, as in COCO), "CC BY-SA 4.0" and addresses of
    creativecommons.org are understood; works without rights become `public-domain`; what is not known, or has other
    words around it, stays as it is in small letters.
    """
    plain = text.strip().lower()
    if _CC0.fullmatch(plain) or "creativecommons.org/publicdomain/zero/" in plain:
        return "cc0-1.0"
    if _PUBLIC_DOMAIN.match(plain):
        return "public-domain"
    address = re.match(r".*creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)", plain)
    flickr = re.fullmatch(r"(attribution[a-z-]*) license", plain)
    words = f"cc {' '.join(address.groups())}" if address else f"cc {flickr[1]} 2.0" if flickr else plain
    words = " ".join(_WORDS.get(word, word) for word in re.split(r"[\s_-]+", words))
    found = _CREATIVE_COMMONS.fullmatch(words)
    if found is None:
        return re.sub(r"\s+", "-", plain)
    version = found[2]
    return "-".join(["cc", "by", *found[1].split(), *([version] if version else [])])


def hub_license(texts: set[str]) -> str:
    """What a card says in its field `license`: the Hub's name if all pictures have one it knows, else `other`."""
    names = {normalize_license(text) for text in texts}
    return names.pop() if len(names) == 1 and names <= _HUB_NAMES else "other"


def may_be_shown(license_text: str, attribution: str) -> bool:
    """Whether a thumbnail may stand in a card: a license of `SHOWABLE`, and an author to name where it asks for one."""
    name = normalize_license(license_text)
    if name in ("cc0-1.0", "public-domain"):
        return True
    return re.fullmatch(r"cc-by(-sa)?(-\d\.\d)?", name) is not None and bool(attribution.strip())
