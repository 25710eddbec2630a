"""What the AWS provider's schema says of a type, and whether a value is of it."""

from agent.declared.language.types import ListOf, MapOf, ObjectOf, SetOf, Type
from agent.declared.language.values import List, Map, Null, Object, Sensitive, Set, Unknown, Value, type_of
from agent.declared.schemas import Block, provider


def resource(type_: str) -> Block:
    """The AWS provider's schema of a resource type."""
    known = provider("hashicorp/aws")
    assert known is not None
    schema = known.resource(type_)
    assert schema is not None
    return schema.block


def fits(value: Value, type_: Type) -> bool:
    """Whether a value and everything in it has the type; `Unknown` and `Null` say theirs.

    An object may have more names than its type: those the schema does not have are kept.
    """
    match value, type_:
        case Sensitive(), _:
            return fits(value.value, type_)
        case ((Null() | Unknown()), _):
            return value.type == type_
        case List(), ListOf(element):
            return value.element == element and all(fits(each, element) for each in value.items)
        case Set(), SetOf(element):
            return value.element == element and all(fits(each, element) for each in value.items)
        case Map(), MapOf(element):
            return value.element == element and all(fits(each, element) for each in value.items.values())
        case Object(), ObjectOf(attributes):
            return all(name in value.items and fits(value.items[name], each) for name, each in attributes)
    return type_of(value) == type_
