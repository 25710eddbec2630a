"""Policy documents are rendered exactly as the AWS provider renders them, hash and all."""

import json
import os
import shutil

import policy_documents
import pytest

from agent.declared import data
from agent.declared.language.error import EvaluationError, TooMuch
from agent.declared.language.types import STRING, MapOf
from agent.declared.language.values import List, Null, Object, Sensitive, Set, Tuple, Unknown, Value, from_plain


def rendered(**arguments: Value) -> Value:
    """`minified_json`."""
    found = data.read("aws_iam_policy_document", Object(arguments), data.Here())
    assert found is not None
    return found["minified_json"]


def statements(*blocks: dict[str, object]) -> Tuple:
    """Blocks as evaluated."""
    return Tuple(from_plain(each) for each in blocks)


@pytest.mark.parametrize("name", policy_documents.recorded())
def test_a_document_is_rendered_as_the_provider_renders_it(name: str) -> None:
    assert policy_documents.ours().read(name) == policy_documents.recorded()[name]


def test_every_document_is_recorded() -> None:
    assert set(policy_documents.recorded()) == set(policy_documents.ours().blocks)
    assert len(policy_documents.recorded()) >= 70


@pytest.mark.terraform
@pytest.mark.sweep
def test_the_provider_still_renders_so() -> None:
    """What was recorded is held against ours in every run; whether it still is so, in `make oracle-sweep`."""
    if shutil.which("terraform") is None:
        pytest.skip("the terraform binary is not on PATH")
    plugins = os.environ.get("DRIFTWARDEN_TF_PLUGIN_DIR", "")
    try:
        answers = policy_documents.asked(plugins)
    except RuntimeError as error:
        if plugins or not str(error).startswith("terraform init"):
            raise
        pytest.skip(f"terraform could not fetch the AWS provider; DRIFTWARDEN_TF_PLUGIN_DIR names a mirror: {error}")
    recorded = json.loads(policy_documents.RECORDED.read_text(encoding="utf-8"))
    if answers["provider"] != recorded["provider"]:
        pytest.skip(f"the answers were recorded with provider {recorded['provider']}, which is not in the mirror")
    assert answers == recorded


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"version": "2011-10-17"}, "the version must be"),
        ({"statement": statements({"effect": "allow"})}, "the effect must be"),
        ({"statement": statements({"sid": "A"}, {"sid": "A"})}, "one Sid"),
        ({"statement": statements({"actions": ["a", None]})}, "null"),
        ({"statement": statements({"actions": {"a": 1}})}, "`actions`"),
        ({"source_policy_documents": Tuple(['{"Statement":[{"Sid":"A"},{"Sid":"A"}]}'])}, "one Sid"),
        ({"source_policy_documents": Tuple(['{"Statement":[{"Sid":"A"}]}'] * 2)}, "one Sid"),
        ({"source_policy_documents": Tuple(["nope"])}, "JSON is not valid: line 1"),
        ({"source_policy_documents": Tuple([" "])}, "JSON is not valid"),
        ({"source_policy_documents": Tuple(["{} {}"])}, "JSON is not valid"),
        ({"source_policy_documents": Tuple(["NaN"])}, "number"),
        ({"source_policy_documents": Tuple(["1e999"])}, "number"),
        ({"source_policy_documents": Tuple(["[]"])}, "no JSON object"),
        ({"source_policy_documents": Tuple(['{"Statement":{"Sid":"A"}}'])}, "no list of statements"),
        ({"source_policy_documents": Tuple(['{"Statement":[null]}'])}, "no list of statements"),
        ({"source_policy_documents": Tuple(['{"Version":1}'])}, "no string"),
        ({"source_policy_documents": Tuple(['{"Statement":[{"Sid":5}]}'])}, "Sid is no string"),
        ({"source_policy_documents": Tuple(['{"Statement":[{"Principal":null}]}'])}, "principals"),
        ({"source_policy_documents": Tuple(['{"Statement":[{"Principal":{"AWS":5}}]}'])}, "principal"),
        ({"source_policy_documents": Tuple(['{"Statement":[{"Condition":"x"}]}'])}, "conditions"),
        ({"source_policy_documents": Tuple(['{"Statement":[{"Condition":{"a":{"b":[5]}}}]}'])}, "values are no texts"),
        ({"override_policy_documents": Tuple([Null()])}, "null"),
    ],
)
def test_what_the_provider_refuses_is_refused(arguments: dict[str, Value], expected: str) -> None:
    with pytest.raises(EvaluationError, match=expected):
        rendered(**arguments)


@pytest.mark.parametrize("block", ["resources", "not_resources"])
def test_the_old_version_has_no_variables(block: str) -> None:
    with pytest.raises(EvaluationError, match="no variables"):
        rendered(version="2008-10-17", statement=statements({block: ["&{aws:username}"]}))


def test_deep_json_is_refused() -> None:
    for levels in (200, 100_000):
        with pytest.raises(TooMuch, match="too deeply"):
            rendered(source_policy_documents=Tuple(["[" * levels + "]" * levels]))


def test_an_unknown_part_makes_the_document_unknown_and_a_secret_one_secret() -> None:
    blocks = Tuple([Object({"resources": Tuple([Unknown("aws_s3_bucket.a.arn", STRING), "b"])})])
    found = rendered(statement=blocks)
    assert isinstance(found, Unknown)
    assert found.why == ("aws_s3_bucket.a.arn",)
    assert isinstance(rendered(statement=Unknown("local.statements")), Unknown)
    marked = rendered(statement=Tuple([Object({"resources": Tuple([Sensitive("b")])})]))
    assert marked == Sensitive('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"b"}]}')


def test_blocks_may_be_a_set_a_list_or_one_object() -> None:
    block = Object({"actions": Set(["a"], STRING)})
    expected = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"a"}]}'
    kind = MapOf(STRING)
    assert {rendered(statement=each) for each in (Set([block], kind), List([block], kind), block)} == {expected}
