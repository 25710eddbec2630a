"""Where our answer is another than the recorded one, and why that is left so."""

_ABSORBED = (
    "more is known than Terraform 1.11 says: `false && x` is false whatever x is, as later versions have it; no value "
    "that Terraform would come to is another"
)
_REFERENCE = "Terraform refuses names that do not exist before it evaluates; to us they are errors that try() catches"
_SHORTEST = "the number is the same: Terraform writes the shortest digits that tell a 53-bit float from its neighbours"
_ZERO = "numbers have no negative zero here"
_FLATE = "Go compresses in other blocks than zlib: the bytes cannot be told, so the value is unknown"
_BRANCH = "a branch not taken that fails has no type here; Terraform still sees a tuple and finds no common type"
_UNKNOWN_SET = "a set of which an item is unknown is not walked: that item may equal another"

KNOWN: dict[tuple[str, str], str] = {
    ("dates_network_conversion", "tostring(-0)"): _ZERO,
    ("encoding", "jsonencode(-0.0)"): _ZERO,
    ("encoding", 'base64gzip("")'): _FLATE,
    ("encoding", 'length(base64gzip("hello")) > 10'): _FLATE,
    ("found_at_random", 'true ? 1 : [for x in [null] : join("/", [x])]'): _BRANCH,
    ("found_at_random", 'true ? 1 : [for x in [1] : tonumber("x")]'): _BRANCH,
    ("numeric", "pow(2, 64)"): _SHORTEST,
    ("numeric", "pow(2, 100)"): _SHORTEST,
    ("numeric", "pow(3, 50)"): _SHORTEST,
    ("text", 'regex("(?P<a>x)(?P<a>y)", "xy")'): "RE2 does not tell a name given twice from a group without one",
    ("sensitive_null_try", "try(nope, 1)"): _REFERENCE,
    ("sensitive_null_try", "try(var.nope, 1)"): _REFERENCE,
    ("sensitive_null_try", "try(local.nope, 1)"): _REFERENCE,
    ("unknown", "local.ub && false"): _ABSORBED,
    ("unknown", "false && local.ub"): _ABSORBED,
    ("unknown", "local.ub || true"): _ABSORBED,
    ("unknown", "true || local.ub"): _ABSORBED,
    ("unknown", "alltrue([local.ub, false])"): _ABSORBED,
    ("unknown", 'try(local.uo, "a")'): "more is known than Terraform says, which gives up what is known inside",
    ("unknown", "[for x in toset(local.ul) : 1]"): _UNKNOWN_SET,
    ("unknown", '"x${local.us}" == null'): "that a string with an unknown part is not null is not noted",
}
"""(group, expression) → the reason."""
