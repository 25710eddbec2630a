"""KMS key managed by the customer. A key that only waits for its deletion is, as for Terraform, no key any more."""

from collections.abc import Iterable, Sequence

from agent import tags
from agent.resources import OWN_TAGS, Ask, Attribute, Call, Event, Item, One, Spec, tags_at, tags_of_all

ID = "(resources[?type=='AWS::KMS::Key'].ARN | [0]) || requestParameters.keyId"
"""The request may name the key by an alias; `resources` has its ARN."""
CUSTOMER = "Metadata.KeyManager == 'CUSTOMER' && KeyId || `null`"
"""Nothing for the keys AWS manages: they refuse the calls, and nobody declares them."""
ROTATABLE = "Metadata.KeyManager == 'CUSTOMER' && Metadata.KeySpec == 'SYMMETRIC_DEFAULT' && KeyId || `null`"


def _key_id(item: Item) -> str:
    waits = ((item.get("Metadata") or {}).get("KeyState") or "") in ("PendingDeletion", "PendingReplicaDeletion")
    return "" if waits else item["KeyId"]


def _provided(item: Item) -> str:
    return "managed by AWS" if item["Metadata"]["KeyManager"] == "AWS" else ""


_GONE = ("NotFoundException",)
_METADATA = Call("describe_key", items="KeyMetadata", bind={"KeyId": "KeyId"}, into="Metadata", gone=_GONE)
_SETTINGS = (
    Call(
        "get_key_policy",
        items="Policy",
        args={"PolicyName": "default"},
        bind={"KeyId": CUSTOMER},
        into="Policy",
        gone=_GONE,
    ),
    Call("get_key_rotation_status", bind={"KeyId": ROTATABLE}, into="Rotation", gone=_GONE),
)


def _asked_by(name: str) -> str | None:
    """An alias says which key only to KMS."""
    return None if "alias/" in name else name.rsplit("/", 1)[-1]


def _by_id(ask: Ask, ids: Sequence[str]) -> Iterable[Item]:
    found = (ask(_METADATA, KeyId=id_) for id_ in ids)
    return [{"KeyId": one["KeyId"], "KeyArn": one["Arn"], "Metadata": one} for one in found if one is not None]


SPEC = Spec(
    service="kms",
    listing=Call("list_keys", items="Keys", args={"Limit": 1000}),
    details=(_METADATA, *_SETTINGS, tags_of_all("kms")),
    one=One(
        (_METADATA,),
        _asked_by,
        _by_id,
        details=(
            *_SETTINGS,
            Call("list_resource_tags", items="Tags", bind={"KeyId": CUSTOMER}, into=OWN_TAGS, gone=_GONE),
        ),
    ),
    identity=("key_id",),
    identifiers=("id", "key_id", "arn"),
    names={"key_id": _key_id, "id": "KeyId", "arn": "KeyArn"},
    provided=_provided,
    attributes=(
        Attribute("policy", "Policy", "policy", "identity"),
        Attribute("enable_key_rotation", "Rotation.KeyRotationEnabled || `false`", "bool", "encryption", default=False),
        Attribute("rotation_period_in_days", "Rotation.RotationPeriodInDays", "number", "encryption", default=0),
        Attribute("is_enabled", "Metadata.Enabled", "bool", "encryption", default=True),
        Attribute("key_usage", "Metadata.KeyUsage", topic="encryption", default="ENCRYPT_DECRYPT"),
        Attribute("customer_master_key_spec", "Metadata.KeySpec", topic="encryption", default="SYMMETRIC_DEFAULT"),
        Attribute("multi_region", "Metadata.MultiRegion", "bool", "encryption", default=False),
        Attribute("description", "Metadata.Description"),
        Attribute("tags_all", tags_at("Metadata.Arn"), "tags"),
    ),
    events=(
        Event(
            "CreateKey",
            "responseElements.keyMetadata.keyId",
            "create",
            sets={
                "policy": "requestParameters.policy",
                "description": "requestParameters.description",
                "tags_all": tags.at("requestParameters.tags"),
            },
        ),
        Event("ScheduleKeyDeletion", ID, "delete"),
        Event("DeleteKey", ID, "delete"),
        Event("CancelKeyDeletion", ID, "create", sets={"is_enabled": lambda _: False}),
        Event("PutKeyPolicy", ID, sets={"policy": "requestParameters.policy"}),
        Event(
            "EnableKeyRotation",
            ID,
            sets={
                "enable_key_rotation": lambda _: True,
                "rotation_period_in_days": "requestParameters.rotationPeriodInDays",
            },
        ),
        Event("DisableKeyRotation", ID, sets={"enable_key_rotation": lambda _: False, "rotation_period_in_days": ""}),
        Event("EnableKey", ID, sets={"is_enabled": lambda _: True}),
        Event("DisableKey", ID, sets={"is_enabled": lambda _: False}),
        Event("UpdateKeyDescription", ID, sets={"description": "requestParameters.description"}),
        Event("TagResource", ID, sets={"tags_all": tags.at("requestParameters.tags")}),
        Event("UntagResource", ID, sets={"tags_all": ""}),
    ),
)
