"""What recipes and configs have in common: dataclasses with a sentence under every field, told by `--help`."""

import ast
import inspect


def describe_fields(part: type, title: str) -> list[str]:
    """Every field of a dataclass with its type, default and the sentence under it, as lines for `--help`."""
    lines = [f"{title}:"]
    body = ast.parse(inspect.getsource(part)).body[0]
    assert isinstance(body, ast.ClassDef)
    for entry, doc in zip(body.body, body.body[1:], strict=False):
        if isinstance(entry, ast.AnnAssign) and isinstance(doc, ast.Expr) and isinstance(doc.value, ast.Constant):
            default = f" = {ast.unparse(entry.value)}" if entry.value else ""
            sentence = " ".join(str(doc.value.value).split())
            lines += [f"  {ast.unparse(entry.target)}: {ast.unparse(entry.annotation)}{default}", f"      {sentence}"]
    return lines
