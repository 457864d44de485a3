"""Removing color words from an English caption without breaking its sentence.

Every color phrase ("dark brown", "red, white and blue", "light-colored") first becomes one mark. A table of rules then
decides, by the words around each mark, what becomes of it: an adjective goes, "a player in red" loses its clothes,
"is wearing black" becomes "is wearing clothes", "the sky is blue" becomes "the sky is visible". Names stay: see
lexicon.NAMES, and a color with a capital inside a sentence ("the White House").
"""

import re

from autochrome.naming.lexicon import (
    ADJECTIVE,
    AMBIGUOUS,
    COLOR,
    FUNCTION,
    NAMES,
    NOUN_ING,
    NUMBER,
    PART,
    PERSON,
    SHADE,
    TINTABLE,
    VERB,
    VIVID,
)

_MARK = "\ue000"  # stands for a color phrase; the private-use characters are taken out of captions first
_GONE = "\ue001"  # where an adjective was: the article before it may have to change
_KEPT = "\ue002"  # hides the words of a name from the search: "golden retriever" becomes "golden\ue002 retriever"
_PRIVATE = re.compile(f"[{_MARK}{_GONE}{_KEPT}]")

_WORD = r"[A-Za-z][\w'’-]*"
_END = r'(?:\s*(?:$|[.,;:!?)\]])|")'
_ALONE = rf"(?={_END}|\s+{FUNCTION}\b|\s+(?!{NOUN_ING}\b)\w+ing {FUNCTION}\b)"
"""Ahead is no noun, whatever stood before: the color stands alone."""
_ALONE_AS_CLOTHES = rf"(?={_END}|\s+(?:{FUNCTION}|{VERB})\b|\s+(?!{NOUN_ING}\b)\w+ing\b(?! {TINTABLE}\b))"
"""The same after "in" or "wearing", where a verb may follow."""

_SHADED = rf"(?:{SHADE}[ -])*(?:{COLOR}|{AMBIGUOUS}(?=[ -]colou?red|[ -]{TINTABLE}\b))"
_BETWEEN = r"(?:,? and |, ?| an | & | or | |-and-|-|/)"
_PHRASE = re.compile(
    rf"(?<![\w'’-])(?:{VIVID}|colou?red(?= [a-z])(?! (?:{COLOR}|{FUNCTION})\b)|"
    rf"(?:{SHADE}[ -])*(?:{COLOR}s?-)?{_SHADED}(?:[ -]{PART}\b)?"
    rf"(?:{_BETWEEN}{_SHADED}(?:[ -]{PART}\b)?)*(?: in colou?r(?:ation)?)?)(?![\w{_KEPT}])(?P<hyphen>-(?=\w))?",
    re.IGNORECASE,
)
_NAMED = re.compile(
    rf"(?<![\w'’-])(?:{COLOR}|{AMBIGUOUS}(?=[ -]colou?red|[ -]{TINTABLE}\b))(?![\w{_KEPT}])", re.IGNORECASE
)
_NAMES = re.compile(rf"(?<![\w'’-])(?:{NAMES})(?!\w)", re.IGNORECASE)
_CAPITAL = re.compile(rf"(?<=[a-z,] )(?<!and )(?=(?i:{COLOR})\b)[A-Z][a-z]+(?= [A-Z])")
_ORANGE = re.compile(
    rf"\b((?:an|one|half an|the|fresh|peeled|sliced|ripe|mandarin|eating|navel) )orange"
    rf"(?={_ALONE})(?!(?:,| and| or| &) {_SHADED}\b)(?!-)",
    re.IGNORECASE,
)
_PERSON_BY_HAIR = re.compile(
    rf"(?<![\w-])(?:{SHADE} )?(?:blond|blonde|brunette|redhead)"
    rf"(?:(?P<many>s)\b|(?={_ALONE}|\s+{VERB}\b)(?! (?:and|or) {COLOR}\b))",
    re.IGNORECASE,
)

_BE = r"(?:is|are|was|were|be|being)"
_M = _MARK
_NO_NOUN = rf"(?!(?:{FUNCTION}|{VERB}|{PERSON}|{NUMBER})\b|(?!{NOUN_ING}\b)\w+ing\b)"
_DETERMINER = r"(?:a|an|the|this|that|one|two|three|four|five|six|another|his|her|their|its)"
_JOINT = r"(?:,? and|,| or|,? while)? (?:the )?"
_EACH = rf"(?: {_BE})?(?: (?:dressed )?in| wearing)?(?: (?:a|all))? {_M}"

_RULES: tuple[tuple[str, str], ...] = (
    # "two § and one § dog" -> "two dogs and one dog"
    (rf"\b(two|three|four|five|six) {_M} (and|or) (one|an?) {_M} (?!{FUNCTION}\b)({_WORD})", r"\1 \4s \2 \3 \4"),
    # "a § and a § dog" -> "a dog and a dog"
    (rf"\b({_DETERMINER}) {_M} (and|or) ({_DETERMINER}) {_M} (?!{FUNCTION}\b)({_WORD})", r"\1 \4 \2 \3 \4"),
    # "two dogs, one § and one §, run" -> "two dogs run"
    (
        rf"(?<=\w)(?:[,:](?: {NUMBER}(?: {_WORD})?| with one)| one| (?:with )?{NUMBER}){_EACH}"
        rf"(?:{_JOINT}{NUMBER}(?: {_WORD})?{_EACH})+{_ALONE_AS_CLOTHES},?",
        "",
    ),
    # "a § a § dog", a slip of the pen
    (rf"\ban? {_M} (?=an? )", ""),
    # "two boys in § and one in §" -> "two boys"
    (rf" in {_M},? and {NUMBER} in {_M}{_ALONE_AS_CLOTHES}", ""),
    # "that is § and furry" -> "that is furry"; "a dog that is §" -> "a dog"
    (rf"\b((?:that|which|who) {_BE}) {_M} and {_NO_NOUN}(?={_WORD})", r"\1 "),
    (rf",? (?:that|which|who) {_BE}(?: \w+ly)? {_M}{_ALONE_AS_CLOTHES},?", ""),
    # "in different shades of §", "ranging from § to §", "the color §", "something §", "patches of §"
    (rf"(?: dressed)? in (?:{_WORD} )?shades? of {_M}{_ALONE_AS_CLOTHES}", ""),
    (rf",? (?:(?:rang|vary|spann|chang|fad)(?:ing|e|es|y|ies) )?from {_M} to {_M}{_ALONE}", ""),
    (
        rf"\b(colou?rs?|shades?|tones?|patch(?:es)?|spots?|markings|stripes|splash(?:es)?|bits?)(?: of)? {_M}{_ALONE}",
        r"\1",
    ),
    (rf"\b((?:some|any|every|no)(?:thing|one)|objects?|things?) {_M}{_ALONE_AS_CLOTHES}", r"\1"),
    # "is dressed in §" -> "is dressed"; "a man dressed in §" -> "a man"
    (rf"\b({_BE}) (?:all |both )?dressed in {_M}(?= \w+ing\b)", r"\1"),
    (rf"\b({_BE}(?: all| both)? (?:dressed|clad|clothed))(?: up| out| all| \w+ly)* in {_M}{_ALONE_AS_CLOTHES}", r"\1"),
    (
        rf",? (?:all )?(?:dressed|dresses|clad|attired|clothed)(?: up| out| all| \w+ly)* in (?:all )?{_M}"
        rf"{_ALONE_AS_CLOTHES}",
        "",
    ),
    # "a man wearing § runs" -> "a man runs"; "is wearing §" -> "is wearing clothes"
    (rf"\b(in|with|wear(?:s|ing)?) {_M}, (?={ADJECTIVE}\b)", r"\1 "),
    (
        rf"\b({PERSON}) wearing {_M}(?=\s*(?:$|\.)|\s+(?:is|are|was|were|has|{VERB})\b|\s+(?!{NOUN_ING}\b)\w+ing\b)",
        r"\1",
    ),
    (rf"\b(wear(?:s|ing)?|wore|sporting) {_M}{_ALONE_AS_CLOTHES}", r"\1 clothes"),
    # "in § and sunglasses" -> "in sunglasses"; "is in §" -> "is visible"; "a man in § runs" -> "a man runs"
    (rf"\b(in|with) {_M} and {_NO_NOUN}(?={_WORD})", r"\1 "),
    (rf"\b((?:is|are|was|were)) (?:all )?in {_M}(?!,){_ALONE_AS_CLOTHES}", r"\1 visible"),
    (rf"(?<=\w),? (?:all )?in {_M}{_ALONE_AS_CLOTHES}", ""),
    (rf"(?<=\w),? in (?:the|an?) {_M}(?!,){_ALONE}", ""),
    # "painted §" -> "painted"
    (
        rf"\b(painted|dyed|colou?red|tinted|stained|striped|lit(?: up)?|glow(?:s|ing)|turn(?:s|ed|ing)?|paint(?:s|ing))"
        rf"(?: an?)? {_M}{_ALONE}",
        r"\1",
    ),
    # "is § and round" -> "is round"; "the sky is §" -> "the sky is visible"
    (rf"\b({_BE}(?: \w+ly)?) {_M},? and (?=(?:{ADJECTIVE}|\w+(?:y|ed|ful|ous|ish|al))\b)", r"\1 "),
    (rf"\b({_BE})(?: \w+ly)? {_M}{_ALONE_AS_CLOTHES}", r"\1 visible"),
    (rf"\b(?:looks|appears|seems) {_M}{_ALONE}", "is visible"),
    (rf"\b(?:look|appear|seem) {_M}{_ALONE}", "are visible"),
    # "with § on its face", "has § on its face" -> "markings"; "with §" goes
    (rf"\b(with|has|have|had)(?: some| a little)? {_M}(?= (?:on|around|in|at|near|along)\b)", r"\1 markings"),
    # "a §, long-legged bird", "a § and furry dog", "a big and § dog"
    (rf"{_M},(?: and)? (?!{FUNCTION}\b|{VERB}\b|(?!{NOUN_ING}\b)\w+ing\b)(?={_WORD})", f"{_GONE} "),
    (rf"{_M} and {_NO_NOUN}(?={_WORD})", f"{_GONE} "),
    (rf" (?:with|of|on|against|to|from|by|over|into|at|as) {_M}{_ALONE}", ""),
    (rf"\b({ADJECTIVE})(?:,| and) {_M} (?!{FUNCTION}\b)(?={_WORD})", r"\1 "),
    # "chases a § one" -> "chases one"
    (rf"\ban? {_M} one\b(?! piece)", "one"),
    # "a small § jumping to it" -> "a small one jumping to it"; "the § has" -> "the one has"
    (rf"\b(?:a|an) {_M}{_ALONE}", "one"),
    (rf"\b((?:(?:a|an) {ADJECTIVE}|(?:the|this|that|another|each)(?: {ADJECTIVE})?) ){_M}{_ALONE}", r"\1one"),
    # What is left are adjectives before their nouns.
    (rf"{_M}", _GONE),
)
_COMPILED = tuple((re.compile(pattern, re.IGNORECASE), replacement) for pattern, replacement in _RULES)

_ARTICLE = re.compile(rf"\b(an?) (?:{_GONE} ?)+({_WORD})", re.IGNORECASE)
_VOWEL = re.compile(r"(?!uni(?!n|m)|use|usu|eu|one\b|once|uk)[aeiou]|hour|honest|heir|x-ray", re.IGNORECASE)


def remove_color_words(caption: str) -> str:
    """The caption, tidied, without words that tell color: still a sentence, the articles right.

    Removed: color names with their shades, "-colored" and "colorful". Kept: names of breeds, animals, foods and drinks
    ("golden retriever", "brown bear", "red wine", "green tea"), the fruit orange, proper names ("the White House"),
    words that only contain a color ("blackboard", "greyhound"), and what grey shows too ("dark-haired", "faded").
    """
    tidied = tidy(caption)
    marked, colored = _mark(tidied)
    if not colored:
        return tidied
    for pattern, replacement in _COMPILED:
        marked = pattern.sub(replacement, marked)
    marked = _ARTICLE.sub(lambda match: f"{_article(match[1], match[2])} {match[2]}", marked)
    text = tidy(_PRIVATE.sub("", marked))
    return _restore_capitals(text.lstrip(" ,;"), like=tidied)


def names_color(caption: str) -> bool:
    """Whether the caption names a color; "colorful" and names such as "golden retriever" do not count."""
    return bool(_NAMED.search(_hide_names(tidy(caption))))


def tidy(caption: str) -> str:
    """One line, single spaces, none before punctuation ("a dog runs ." as in Flickr8k); other characters stay."""
    text = " ".join(_PRIVATE.sub("", caption).split())
    text = re.sub(r" (?=[.,:;!?](?:\s|$)|['’](?:s|re|ll|ve|d|m)\b|n['’]t\b)", "", text)
    text = re.sub(r"\(\s+|\s+(?=\))", lambda match: match[0].strip(), text)
    text = re.sub(r",(?:\s*,)+", ",", text)
    return re.sub(r",(?=[.!?])", "", text)


def with_article(noun: str) -> str:
    """The noun with "a" or "an" before it."""
    return f"{_article('a', noun)} {noun}"


def _mark(tidied: str) -> tuple[str, bool]:
    """The caption with a mark for every color phrase, and whether there was one."""
    hidden = _PERSON_BY_HAIR.sub(lambda match: "people" if match["many"] else "person", _hide_names(tidied))
    hidden = re.sub(
        r"\b(?:full )?colou?r (?=photo|photograph|picture|image|illustration|print)", f"{_M} ", hidden, flags=re.I
    )
    marked = _PHRASE.sub(lambda match: f"{_M} " if match["hyphen"] else _M, hidden)
    return marked, _M in marked or hidden.replace(_KEPT, "") != tidied


def _hide_names(text: str) -> str:
    text = _NAMES.sub(lambda match: re.sub(r"(\w)(?=[ -]|$)", rf"\1{_KEPT}", match[0]), text)
    text = _ORANGE.sub(rf"\1orange{_KEPT}", text)
    words = re.findall(r"\b[A-Za-z]{4,}", text)
    title = text[:1].isupper() and len(words) > 2 and sum(word[0].isupper() for word in words) > len(words) / 2
    if not title:  # in a Title Every Word Has A Capital
        text = _CAPITAL.sub(rf"\g<0>{_KEPT}", text)
    return text


def _article(article: str, word: str) -> str:
    chosen = "an" if _VOWEL.match(word) else "a"
    return chosen.capitalize() if article[0].isupper() else chosen


def _restore_capitals(text: str, like: str) -> str:
    """Sentences begin with a capital if those of `like` do."""
    if like[:1].isupper():
        text = text[:1].upper() + text[1:]
    if not re.search(r"[.!?] [a-z]", like):
        text = re.sub(r"([.!?] )([a-z])", lambda match: match[1] + match[2].upper(), text)
    return text
