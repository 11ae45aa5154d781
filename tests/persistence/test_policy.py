"""What a folder of someone else may decide, and what only the caller does."""

from __future__ import annotations

import copy
import io
import json
import os
import socket
import sys
import threading
import zipfile
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from safetensors.numpy import load as arrays_of
from safetensors.numpy import save as content_of
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from langalign_sk import (
    AdapterAligner,
    CrossLingualAligner,
    CrossLingualRetriever,
    LinearAligner,
    SentenceEncoder,
    load,
    save,
)
from langalign_sk.encoders import EndpointEncoder
from langalign_sk.encoders.models import registry
from langalign_sk.hub import from_pretrained
from langalign_sk.persistence import _codec, _policy
from tests.persistence.common import (
    LABELS,
    ONE_EPOCH,
    X,
    Y,
    change_manifest,
    classifier,
    described,
    manifest_of,
    only_in,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

OWN = {"method": "ridge", "alpha": 1.0}


def moving(encoder="use-multilingual", **parameters):
    return CrossLingualAligner(encoder=encoder, **OWN | parameters).fit(X, Y)


def in_pipeline(encoder="use-multilingual"):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    return make_pipeline(moving(encoder).freeze(), LogisticRegression()).fit(X, LABELS)


def in_classifier(encoder="use-multilingual"):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    model = classifier()
    for one in (model.aligner, model.aligner_):
        one.estimator.set_params(encoder=encoder)
    return model


def in_retriever(encoder="use-multilingual"):
    return CrossLingualRetriever(moving(encoder).freeze()).fit(Y[:9])


MODELS = [moving, in_retriever, in_pipeline, in_classifier]


def encoder_of(model):
    """Encoder of the aligner in a model."""
    model = model[0] if hasattr(model, "steps") else getattr(model, "aligner_", model)
    return getattr(model, "estimator", model).encoder


def rewrite(folder, kind, content):
    """Change a file of a model, and what the manifest says about it."""
    path = folder / manifest_of(folder)["files"][kind]["name"]
    path.write_bytes(content)
    change_manifest(folder, lambda manifest: manifest["files"].update({kind: described(path)}))


def change_state(folder, **values):
    change_manifest(folder, lambda manifest: manifest["estimator"]["state"].update(values))


def change_schema(folder, change):
    """Change the schema of a file of skops."""
    path = folder / manifest_of(folder)["files"]["model"]["name"]
    content = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, change(data) if name == "schema.json" else data)
    rewrite(folder, "model", content.getvalue())


def with_settings(**settings):
    """A change of the schema: settings of every SentenceEncoder in it."""

    def change(data):
        schema = json.loads(data)

        def walk(node):
            if isinstance(node, list):
                for child in node:
                    walk(child)
            elif isinstance(node, dict):
                if "trust_remote_code" in node:
                    node.update(settings)
                for child in [*node.values()]:
                    walk(child)

        walk(schema)
        return json.dumps(schema).encode()

    return change


def node(loader, content, cls="str", module="builtins"):
    return {
        "__class__": cls,
        "__module__": module,
        "__loader__": loader,
        "content": content,
        "__id__": 1,
    }


@pytest.mark.parametrize(
    "value",
    [
        node("TypeNode", "false"),
        node("TypeNode", "true"),
        node("TypeNode", None, cls="int"),
        node("JsonNode", "true"),
        node("JsonNode", "1"),
        node("JsonNode", '"false"'),
        node("JsonNode", "0"),
        node("ListNode", [], cls="list"),
        node("DictNode", {}, cls="dict"),
        node("TupleNode", [], cls="tuple"),
        node("SetNode", [], cls="set"),
    ],
    ids=lambda value: f"{value['__loader__']}-{value['content']}",
)
@pytest.mark.parametrize("model", [in_pipeline, in_classifier])
def test_no_kind_of_node_lets_code_run(model, value, tmp_path):
    save(model(SentenceEncoder("x/y")), tmp_path)
    change_schema(tmp_path, with_settings(trust_remote_code=value))
    with only_in(tmp_path), pytest.raises(ValueError, match=r"trust_remote_code=True|is damaged"):
        load(tmp_path)


@pytest.mark.parametrize("value", [True, 1, "false", [], 0, None, {"$tuple": []}, {"$dict": {}}])
def test_no_value_in_json_lets_code_run(value, tmp_path):
    save(moving(SentenceEncoder("x/y")), tmp_path)

    def trust(manifest):
        manifest["estimator"]["state"]["encoder"]["state"]["trust_remote_code"] = value

    change_manifest(tmp_path, trust)
    with pytest.raises(ValueError, match=r"trust_remote_code=True|is damaged"):
        load(tmp_path)


def test_an_encoder_of_the_caller_takes_the_place_of_one_that_runs_code(tmp_path):
    save(in_pipeline(SentenceEncoder("x/y", trust_remote_code=True)), tmp_path)
    with pytest.raises(ValueError, match=r"runs code of 'x/y'.*pass the encoder yourself"):
        load(tmp_path)
    mine = SentenceEncoder("x/y", trust_remote_code=True)
    again = load(tmp_path, encoder=mine)
    assert encoder_of(again) is mine


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.got.append(self.headers.get("Authorization"))
        self.send_response(500)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.mark.parametrize("model", MODELS)
def test_an_endpoint_of_a_file_gets_nothing(model, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    server = HTTPServer(("127.0.0.1", 0), Server)
    server.got = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    endpoint = EndpointEncoder(
        "m", base_url=url, api_key_env="AWS_SECRET_ACCESS_KEY", max_retries=0, cache=None
    )
    try:
        save(model(endpoint), tmp_path)
        with pytest.raises(ValueError, match="would send your texts to") as raised:
            load(tmp_path)
        message = str(raised.value)
        assert url in message
        assert "the content of the environment variable 'AWS_SECRET_ACCESS_KEY'" in message
        assert f"allow=['{url}', 'AWS_SECRET_ACCESS_KEY']" in message
        for allow in (url, [url], ["AWS_SECRET_ACCESS_KEY"], [f"{url}/"]):
            with pytest.raises(ValueError, match="would send"):
                load(tmp_path, allow=allow)
        allowed = load(tmp_path, allow=[url, "AWS_SECRET_ACCESS_KEY"])
        assert encoder_of(allowed) == endpoint
        mine = SentenceEncoder("use-multilingual")
        assert encoder_of(load(tmp_path, encoder=mine)) is mine
        assert encoder_of(from_pretrained(tmp_path, encoder=mine)) is mine
    finally:
        server.shutdown()
        server.server_close()
    assert server.got == []


def test_the_key_of_openai_needs_a_word_too(tmp_path):
    save(moving(EndpointEncoder("text-embedding-3-small")), tmp_path)
    with pytest.raises(
        ValueError, match=r"texts to OpenAI's API and the content of .*OPENAI_API_KEY"
    ):
        load(tmp_path)
    assert load(tmp_path, allow="OPENAI_API_KEY").encoder == EndpointEncoder(
        "text-embedding-3-small"
    )


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("handle", [False, True])
def test_a_folder_of_an_encoder_needs_a_word(model, handle, tmp_path):
    folder = tmp_path / "encoder"
    folder.mkdir()
    for name in (str(folder), f"{tmp_path}/absent"):
        save(model(SentenceEncoder(name) if handle else name), tmp_path / "model")
        with pytest.raises(ValueError, match="would open the encoder in the folder") as raised:
            load(tmp_path / "model")
        assert f"allow=[{name!r}]" in str(raised.value)
        load(tmp_path / "model", allow=name)
        load(tmp_path / "model", allow=[name])
        mine = SentenceEncoder(name)
        assert encoder_of(load(tmp_path / "model", encoder=mine)) is mine
    load(tmp_path / "model", allow=tmp_path / "encoder" / ".." / "absent")


@pytest.mark.parametrize(
    "name", ["./x", "../x", "~/x", "/x", "a/b/c", "C:\\x", "C:x", "\\\\host\\x"]
)
def test_names_that_look_like_paths_are_folders(name, tmp_path):
    save(moving(name), tmp_path)
    with pytest.raises(ValueError, match="would open the encoder in the folder"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["x/y", "bge-m3", "named"])
def test_a_name_of_the_hub_is_a_folder_where_there_is_one(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(moving(name), "model")
    load("model")
    (tmp_path / name).mkdir(parents=True)
    with pytest.raises(ValueError, match="would open the encoder in the folder"):
        load("model")


def test_all_that_a_model_asks_for_is_one_question(tmp_path):
    endpoint = EndpointEncoder("m", base_url="http://127.0.0.1:9/v1", api_key_env="KEY")
    save(moving("/one", english_encoder=endpoint), tmp_path)
    with pytest.raises(ValueError, match="would open") as raised:
        load(tmp_path)
    asked = ["/one", "http://127.0.0.1:9/v1", "KEY"]
    assert all(repr(one) in str(raised.value) for one in asked)
    load(tmp_path, allow=asked)


def test_allow_is_checked(tmp_path):
    save(moving(), tmp_path)
    with pytest.raises(TypeError, match="allow must be a str or a list of str"):
        load(tmp_path, allow=[1])


@pytest.mark.parametrize("model", MODELS)
def test_a_cache_of_a_file_is_not_used(model, tmp_path, recwarn):
    path = str(tmp_path / "cache")
    save(model(SentenceEncoder("use-multilingual", cache=path)), tmp_path / "model")
    again = load(tmp_path / "model")
    assert encoder_of(again).cache == "memory"
    said = [str(warning.message) for warning in recwarn if path in str(warning.message)]
    assert any("as a place to read or write, which is left out" in text for text in said)
    assert encoder_of(load(tmp_path / "model", allow=path)).cache == path
    assert not (tmp_path / "cache").exists()


def test_a_corpus_and_a_checkpoint_of_a_file_are_not_used(tmp_path):
    fitted = moving(corpus="starter")
    save(fitted.set_params(corpus="/pairs.tsv", adapter_params={"checkpoint": "/run"}), tmp_path)
    again = load(tmp_path)
    assert again.corpus is None
    assert again.adapter_params == {"checkpoint": None}
    again = load(tmp_path, allow=["/pairs.tsv", "/run"])
    assert (again.corpus, again.adapter_params) == ("/pairs.tsv", {"checkpoint": "/run"})
    adapter = AdapterAligner(adapter_dim=6, random_state=0, **ONE_EPOCH).fit(X, Y)
    save(adapter.set_params(checkpoint="/run"), tmp_path)
    assert load(tmp_path).checkpoint is None
    assert load(tmp_path, allow="/run").checkpoint == "/run"


@pytest.mark.parametrize("source", ["filename", "file"])
@pytest.mark.parametrize("cls", [CountVectorizer, TfidfVectorizer])
def test_a_transformer_that_opens_files(cls, source, tmp_path):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    texts = ["good day", "bad day"]
    pipeline = make_pipeline(cls(), LogisticRegression()).fit(texts, [0, 1])
    save(pipeline, tmp_path)
    assert_array_equal(load(tmp_path).predict(texts), [0, 1])
    save(pipeline.set_params(**{f"{cls.__name__.lower()}__input": source}), tmp_path)
    with pytest.raises(ValueError, match="would open the files that its input names"):
        load(tmp_path)
    load(tmp_path, allow=source)


def test_the_memory_of_a_pipeline_is_not_used(tmp_path):
    pipeline = in_pipeline().set_params(memory=str(tmp_path / "memory"))
    save(pipeline, tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.memory is None
    again.fit(X, LABELS)
    assert not (tmp_path / "memory").exists()
    path = str(tmp_path / "memory")
    assert load(tmp_path / "model", allow=path).memory == path


def test_functions_of_a_file_are_not_called(tmp_path):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    head = LogisticRegression()
    save(make_pipeline(FunctionTransformer(np.abs), head).fit(X, LABELS), tmp_path)
    load(tmp_path)
    for function in (os.path.exists, np.load, print):
        pipeline = make_pipeline(FunctionTransformer(np.abs), head).fit(X, LABELS)
        save(pipeline.set_params(functiontransformer__func=function), tmp_path)
        with pytest.raises(ValueError, match=r"does not trust|is damaged"):
            load(tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_arrays_that_are_not_finite_are_refused(value, tmp_path):
    save(LinearAligner("ridge", alpha=1.0, shared=False).fit(X, Y), tmp_path)
    path = tmp_path / manifest_of(tmp_path)["files"]["arrays"]["name"]
    whole = arrays_of(path.read_bytes())
    for name in whole:
        changed = {key: np.array(array) for key, array in whole.items()}
        changed[name].flat[-1] = value
        rewrite(tmp_path, "arrays", content_of(changed))
        with pytest.raises(ValueError, match="is damaged"):
            load(tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_arrays_of_skops_that_are_not_finite_are_refused(value, tmp_path):
    for change in ("coef_", "head"):
        model = in_pipeline()
        if change == "head":
            model[1].coef_[0, 0] = value
        else:
            model[0].estimator.language_map_.coef_[0, 0] = value
        save(model, tmp_path)
        with pytest.raises(ValueError, match="is damaged"):
            load(tmp_path)


def test_a_tree_that_leads_out_of_itself_is_refused():
    # Releases of skops differ in whether they trust trees.
    tree = DecisionTreeClassifier(random_state=0).fit(X, LABELS).tree_
    _policy._check_numbers(tree)
    for name, value in (("left_child", 10**6), ("right_child", 0), ("feature", 99)):
        state = copy.deepcopy(tree.__getstate__())
        state["nodes"][name][0] = value
        broken = type(tree)(tree.n_features, tree.n_classes, tree.n_outputs)
        broken.__setstate__(state)
        with pytest.raises(ValueError, match="a tree whose nodes do not fit"):
            _policy._check_numbers(broken)


@pytest.mark.parametrize("key", ["zz", "__class__", "_private", "fit", "__dict__"])
def test_keys_that_are_not_declared_are_refused(key, tmp_path):
    save(moving(), tmp_path)
    change_state(tmp_path, **{key: 1})
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)


def test_an_attribute_that_is_not_declared_is_refused_by_save(tmp_path):
    fitted = LinearAligner("procrustes").fit(X, Y)
    fitted.note = "mine"
    with pytest.raises(TypeError, match=r"has the attribute 'note'.*`del model\.note`"):
        save(fitted, tmp_path / "model")
    assert not (tmp_path / "model").exists()


EYE = {"$eye": [16384, "<f8"]}


@pytest.mark.parametrize(
    "value",
    [
        [EYE] * 12,
        EYE,
        [{"$eye": [4096, "<f4"]}] * 12,
        {"$tuple": [EYE]},
        list(range(300_000)),
        10**100,
        [[0] * 1000] * 1000,
    ],
    ids=["eyes", "eye", "smaller eyes", "in a tuple", "many values", "long number", "lists"],
)
def test_a_small_folder_does_not_become_large(value, tmp_path):
    save(LinearAligner("procrustes").fit(X, Y), tmp_path)
    change_state(tmp_path, cv_results_=value)
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)


def test_identities_beyond_the_budget_are_saved_as_arrays(tmp_path, monkeypatch):
    fitted = LinearAligner("identity").fit(X, Y)
    monkeypatch.setattr(_codec, "_MOST_MADE", fitted.coef_.nbytes)
    save(fitted, tmp_path)
    state = manifest_of(tmp_path)["estimator"]["state"]
    assert {*state["coef_"]} == {"$eye"}
    assert {*state["inverse_coef_"]} <= {"$array", "$turned"}
    assert_array_equal(load(tmp_path).transform(X), fitted.transform(X))


@pytest.mark.parametrize("size", [1 << 25, 300_000_000])
def test_a_file_of_skops_that_unpacks_to_much_more_is_refused(size, tmp_path):
    save(in_pipeline(), tmp_path)
    change_schema(tmp_path, lambda data: data + b" " * size)
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)


def repack(folder, change):
    """Change the parts of a file of skops, by their names."""
    path = folder / manifest_of(folder)["files"]["model"]["name"]
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    change(parts)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in parts.items():
            new.writestr(name, data)
    rewrite(folder, "model", content.getvalue())


def zeros(n):
    content = io.BytesIO()
    np.save(content, np.zeros(n))
    return content.getvalue()


def test_a_part_that_many_nodes_name_is_refused(tmp_path):
    save(in_pipeline(), tmp_path)

    def change(parts):
        parts["big.npy"] = zeros(1_000_000)
        array = {"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode"}
        array |= {"type": "numpy", "file": "big.npy"}
        schema = json.loads(parts["schema.json"])
        nodes = [{**array, "__id__": 10**6 + i} for i in range(100)]
        many = {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode"}
        schema["content"]["content"]["zz"] = {**many, "content": nodes, "__id__": 7}
        parts["schema.json"] = json.dumps(schema).encode()

    repack(tmp_path, change)
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)


def test_an_archive_in_an_archive_is_refused(tmp_path):
    save(in_pipeline(), tmp_path)

    def change(parts):
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("data.npy", zeros(10_000_000))
        parts["sparse.npz"] = inner.getvalue()

    repack(tmp_path, change)
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)


def test_a_schema_of_empty_lists_is_refused(tmp_path):
    save(in_pipeline(), tmp_path)

    def change(data):
        schema = json.loads(data)
        schema["zz"] = [[]] * 3_000_000
        return json.dumps(schema).encode()

    change_schema(tmp_path, change)
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)


def test_arrays_that_do_not_fit_each_other_are_refused(tmp_path):
    changes = {
        "coef_": lambda model: setattr(model[1], "coef_", model[1].coef_[:, :3]),
        "classes_": lambda model: setattr(model[1], "classes_", model[1].classes_[:2]),
        "inverse": lambda model: setattr(
            model[0].estimator.language_map_, "inverse_coef_", np.eye(4)
        ),
        "intercept": lambda model: setattr(
            model[0].estimator.language_map_, "intercept_", np.zeros(4)
        ),
    }
    for change in changes.values():
        model = in_pipeline()
        change(model)
        save(model, tmp_path)
        with pytest.raises(ValueError, match="is damaged"):
            load(tmp_path)


def test_a_model_that_packs_well_is_saved_unpacked(tmp_path):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    wide = np.zeros((12, 700_000))
    wide[::2, 0] = 1
    pipeline = make_pipeline(FunctionTransformer(np.abs), LogisticRegression())
    pipeline.fit(wide, np.arange(12) % 2)
    pipeline[1].coef_ = np.zeros((4, 700_000))
    pipeline[1].classes_ = np.arange(4)
    pipeline[1].intercept_ = np.zeros(4)
    save(pipeline, tmp_path)
    assert load(tmp_path)[1].coef_.shape == (4, 700_000)


@pytest.mark.parametrize(
    ("folder", "error", "match"),
    [
        (None, TypeError, "folder must be a str or a path, got NoneType"),
        (b"model", TypeError, "folder must be a str or a path, got bytes"),
        (7, TypeError, "folder must be a str or a path, got int"),
        ("a\0b", ValueError, "folder must be the name of a folder"),
        ("", ValueError, "folder must be the name of a folder"),
    ],
)
def test_what_is_not_a_folder_is_named(folder, error, match):
    for call in (load, from_pretrained, lambda f: save(LinearAligner().fit(X, Y), f)):
        with pytest.raises(error, match=match):
            call(folder)
    retriever = CrossLingualRetriever().fit(Y[:9])
    for call in (retriever.save_index, CrossLingualRetriever().open_index):
        with pytest.raises(error, match=match):
            call(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
@pytest.mark.parametrize("name", ["README.md", "langalign_sk.json", "other.json"])
def test_a_pipe_with_a_name_does_not_hang(name, tmp_path):
    os.mkfifo(tmp_path / name)
    fitted = LinearAligner("procrustes").fit(X, Y)
    if name == "README.md":
        with pytest.raises(OSError, match="is not a file, and the model card"):
            save(fitted, tmp_path)
        return
    save(fitted, tmp_path)
    assert_array_equal(load(tmp_path).transform(X), fitted.transform(X))


def test_a_file_or_a_folder_in_the_way_is_named(tmp_path):
    fitted = LinearAligner("procrustes").fit(X, Y)
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(NotADirectoryError, match="is a file: name another folder"):
            save(fitted, folder)
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "a" / "README.md").mkdir(parents=True)
    with pytest.raises(OSError, match="is not a file, and the model card"):
        save(fitted, tmp_path / "a")
    (tmp_path / "b" / "langalign_sk.json").mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match="is a folder, and a file is to be written"):
        save(fitted, tmp_path / "b")


def test_nothing_is_sent_by_a_load(tmp_path, monkeypatch):
    def refused(*args, **kwargs):
        raise AssertionError("a socket was to be opened")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refused, raising=False)
    for model in MODELS:
        save(model("x/y"), tmp_path)
        load(tmp_path)
    assert "transformers_modules" not in sys.modules


def text_pipeline(head=None, **parameters):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    head = LogisticRegression() if head is None else head
    return make_pipeline(CountVectorizer(**parameters), head).fit(TEXTS, [0, 1, 0, 1])


TEXTS = ["good day", "bad day", "good night", "bad night"]


@pytest.mark.parametrize("places", [{"day": 10**6}, {"day": -1}, {"day": 0}, {"more": 5}])
def test_a_vocabulary_whose_places_do_not_fit_is_refused(places, tmp_path):
    pipeline = text_pipeline()
    pipeline[0].vocabulary_.update(places)
    save(pipeline, tmp_path)
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)


def test_weights_of_other_words_are_refused(tmp_path):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, [0, 1, 0, 1])
    save(pipeline, tmp_path)
    assert_array_equal(load(tmp_path).predict(TEXTS), pipeline.predict(TEXTS))
    weights = pipeline[0]._tfidf
    weights.idf_ = weights.idf_[:-1]  # the first texts may not have the last word
    save(pipeline, tmp_path)
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)


def test_a_weight_of_any_word_is_tried(tmp_path):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, [0, 1, 0, 1])
    pipeline[0]._tfidf.idf_[pipeline[0].vocabulary_["night"]] = np.inf
    save(pipeline, tmp_path)
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)


def test_a_head_of_another_width_than_the_vocabulary_is_refused(tmp_path):
    pipeline = text_pipeline()
    pipeline[1].coef_ = np.ones((1, 3))
    pipeline[1].n_features_in_ = 3
    save(pipeline, tmp_path)
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)


@pytest.mark.parametrize(
    "pattern",
    [
        r"(\w+)+x",
        r"(?:a|a)*b",
        r"\w*\w*\w*x",
        r"(\w)\1",
        r"(a",
        "a?" * 30 + "a" * 30,  # twice the time for every letter of a text
        "a??" * 30 + "a" * 30,
        "}?" * 30 + "}" * 30,
        "(?x)" + "a*#|\n" * 9 + "b",  # comments that look like alternatives
        "(?ix)a",
    ],
)
def test_a_pattern_that_may_take_very_long_needs_a_word(pattern, tmp_path):
    pipeline = text_pipeline()
    save(pipeline.set_params(countvectorizer__token_pattern=pattern), tmp_path)
    with pytest.raises(ValueError, match=r"pattern .* which may take very long") as raised:
        load(tmp_path)
    assert str(raised.value).endswith(f"pass load(..., allow={[pattern]!r}).")


@pytest.mark.parametrize(
    "pattern", [r"(?u)\b\w\w+\b", r"\S+", r"[^\W_]+|[.!?]", r"[(+)a-z]\w*", r"[A-Z]?\w+?"]
)
def test_quick_patterns_load(pattern, tmp_path):
    pipeline = text_pipeline(token_pattern=pattern)
    save(pipeline, tmp_path)
    assert_array_equal(load(tmp_path).predict(TEXTS), pipeline.predict(TEXTS))


@pytest.mark.parametrize("lengths", [(1, 10**9), (1, 33), (0, 1), (1,), 3, ("a", "b")])
def test_long_ngrams_need_a_word(lengths, tmp_path):
    save(text_pipeline().set_params(countvectorizer__ngram_range=lengths), tmp_path)
    with pytest.raises(ValueError, match="would split your texts into n-grams"):
        load(tmp_path)


def test_what_a_caller_allows_takes_its_time(tmp_path):
    pipeline = text_pipeline(ngram_range=(1, 40), token_pattern=r"(?:\w+)")
    save(pipeline, tmp_path)
    again = load(tmp_path, allow=["ngram_range=(1, 40)", r"(?:\w+)"])
    assert_array_equal(again.predict(TEXTS), pipeline.predict(TEXTS))


def test_no_more_jobs_than_processors_are_started(tmp_path):
    save(in_pipeline().set_params(logisticregression__n_jobs=10**6), tmp_path)
    assert load(tmp_path)[1].n_jobs == -1


def test_support_vectors_that_do_not_fit_are_refused(tmp_path):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    changes = {
        "_n_support": [10**6, 1, 1],
        "support_": np.zeros(3, dtype=np.int32),
        "_dual_coef_": np.ones((1, 5)),
        "support_vectors_": np.ones((2, 6)),
        "_intercept_": np.ones(1),
        "_probA": np.ones(7),
    }
    save(make_pipeline(moving().freeze(), SVC()).fit(X, LABELS), tmp_path)
    fitted = make_pipeline(moving().freeze(), SVC()).fit(X, LABELS)
    assert_array_equal(load(tmp_path).predict(X), fitted.predict(X))
    for name, value in changes.items():
        model = make_pipeline(moving().freeze(), SVC()).fit(X, LABELS)
        setattr(model[1], name, np.asarray(value, dtype=getattr(model[1], name).dtype))
        save(model, tmp_path)
        with pytest.raises(ValueError, match="is damaged"):
            load(tmp_path)


@pytest.mark.parametrize("name", ["_gamma", "_dual_coef_", "support_vectors_", "_intercept_"])
@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_numbers_of_a_support_vector_machine_are_finite(name, value, tmp_path):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    model = make_pipeline(moving().freeze(), SVC()).fit(X, LABELS)
    if name == "_gamma":
        model[1]._gamma = np.float64(value)
    else:
        getattr(model[1], name).flat[0] = value
    save(model, tmp_path)
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)


def test_a_support_vector_machine_without_its_counts_is_refused(tmp_path):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    model = make_pipeline(moving().freeze(), SVC()).fit(X, LABELS)
    del model[1]._n_support
    save(model, tmp_path)
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["predict", "transform", "fit", "__class__"])
def test_an_attribute_that_hides_a_method_is_refused(name, tmp_path):
    model = in_pipeline()
    part = model if name == "predict" else model[0].estimator
    vars(part)[name] = "mine"
    with suppress(AttributeError, TypeError):  # skops asks the object itself
        save(model, tmp_path)
        with pytest.raises(ValueError, match="is damaged"):
            load(tmp_path)


def test_an_undeclared_attribute_of_an_aligner_in_a_pipeline_is_refused(tmp_path):
    model = in_pipeline()
    model[0].estimator.language_map_.zz = 1
    save(model, tmp_path)
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)


@pytest.mark.parametrize("revision", ["../../x", "/etc", "a/../b", "", "a" * 300, "a\0b"])
@pytest.mark.parametrize("model", [moving, in_pipeline])
def test_a_revision_that_is_a_path_is_refused(model, revision, tmp_path):
    save(model(SentenceEncoder("x/y", revision=revision)), tmp_path)
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)


def test_a_number_that_stands_for_bytes_is_refused(tmp_path):
    save(in_pipeline(), tmp_path)

    def change(parts):
        content = io.BytesIO()
        np.save(content, np.array(2**31 - 1))
        parts["n.npy"] = content.getvalue()
        schema = json.loads(parts["schema.json"])
        void = {"__class__": "void", "__module__": "numpy", "__loader__": "NdArrayNode"}
        void |= {"type": "numpy", "file": "n.npy", "__id__": 10**6}
        schema["content"]["content"]["verbose"] = void
        parts["schema.json"] = json.dumps(schema).encode()

    repack(tmp_path, change)
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)


def test_a_schema_of_many_values_is_refused(tmp_path):
    save(in_pipeline(), tmp_path)

    def change(data):
        return json.dumps({**json.loads(data), "zz": [1] * 5_000_000}).encode()

    change_schema(tmp_path, change)
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)


def test_a_folder_that_comes_later_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_of_hub", set())
    for i, encoder in enumerate(["later/one", SentenceEncoder("later/two")]):
        save(moving(encoder), f"model_{i}")
        again = load(f"model_{i}")
        name = getattr(encoder, "name", encoder)
        (tmp_path / name).mkdir(parents=True)
        with pytest.raises(ValueError, match="now there is one"):
            again.transform(["좋은 아침"])


def test_encoders_of_the_caller_by_view(tmp_path):
    named = [moving(name).set_params(corpus="/absent.tsv") for name in ("/one", "x/y")]
    views = [one.freeze() for one in named]
    save(CrossLingualRetriever(views).fit([Y[:9], Y[:9]]), tmp_path)
    with pytest.raises(ValueError, match="would open the encoder in the folder '/one'"):
        load(tmp_path)
    mine = SentenceEncoder("use-multilingual")
    again = load(tmp_path, encoder=[mine, None])
    assert again.aligner_[0].estimator.encoder is mine
    assert again.aligner_[1].estimator.encoder == "x/y"
    with pytest.raises(ValueError, match=r"View 1 .* was not built with an object"):
        load(tmp_path, encoder=[mine, mine])
    with pytest.raises(ValueError, match="would open the encoder in the folder '/one'"):
        load(tmp_path, encoder=[None, None])


@pytest.mark.parametrize(
    "params",
    [
        {"factory": "HNSW1000000000"},
        {"factory": "IVF65536,Flat"},
        {"factory": "PQ8x24"},
        {"factory": "OPQ64_1000000,Flat"},
        {"factory": "RR9999999,Flat"},
        {"factory": "Flat", "search": "efSearch=2000000000"},
        {"factory": "Flat", "search": "verbose=1"},
    ],
)
def test_an_index_that_faiss_would_build_at_any_cost_needs_a_word(params, tmp_path):
    pytest.importorskip("faiss", reason="needs pip install langalign-sk[faiss]")
    save(CrossLingualRetriever(backend="faiss").fit(Y[:9]), tmp_path)

    def change(manifest):
        given = {"$dict": {"factory": "Flat", "search": "", **params}}
        manifest["estimator"]["$dict"]["params"]["$dict"]["backend_params"] = given
        manifest["index"]["backend_params"] = {"factory": "Flat", "search": "", **params}

    change_manifest(tmp_path, change)
    with pytest.raises(ValueError, match=r"would let FAISS .*allow=\['faiss'\]"):
        load(tmp_path)


def test_a_manifest_that_could_not_be_read_again_is_not_written(tmp_path):
    fitted = LinearAligner("procrustes").fit(X, Y)
    save(fitted, tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    fitted.cv_results_ = list(range(300_000))
    with pytest.raises(ValueError, match="would be beyond what can be read again"):
        save(fitted, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == before
    load(tmp_path)


def test_files_of_the_user_that_look_like_ours_stay(tmp_path):
    mine = ["rows-20260131.npy", "model-0123abcd.bin", "documents-20260131.jsonl"]
    mine += ["notes.json-0123abcd.part", f"arrays-{'0' * 16}.safetensors", "Rows-0123abcd.npy"]
    for name in mine:
        (tmp_path / name).write_text("mine")
    for _ in range(2):
        save(LinearAligner("procrustes").fit(X, Y), tmp_path)
    assert all((tmp_path / name).read_text() == "mine" for name in mine)
    assert len([*tmp_path.iterdir()]) == len(mine) + 3


def test_features_that_fill_the_memory_are_refused(tmp_path):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    steps = moving().freeze(), PolynomialFeatures(2), LogisticRegression()
    pipeline = make_pipeline(*steps).fit(X, LABELS)
    save(pipeline, tmp_path)
    assert_array_equal(load(tmp_path).predict(X), pipeline.predict(X))
    pipeline[1]._n_out_full = 10**9
    save(pipeline, tmp_path)
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)


@pytest.mark.parametrize("change", [{"_y": np.zeros(3, dtype=int)}, {"n_samples_fit_": 10**6}])
def test_neighbours_that_do_not_fit_are_refused(change, tmp_path):
    pytest.importorskip("skops", reason="needs pip install langalign-sk[skops]")
    head = KNeighborsClassifier(algorithm="brute")
    pipeline = make_pipeline(moving().freeze(), head).fit(X, LABELS)
    save(pipeline, tmp_path)
    assert_array_equal(load(tmp_path).predict(X), pipeline.predict(X))
    vars(pipeline[1]).update(change)
    save(pipeline, tmp_path)
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)


def test_steps_in_steps_do_not_take_any_time(tmp_path):
    def nested(levels, n_steps):
        model = text_pipeline()
        for _ in range(levels):
            model = Pipeline([(f"s{i}", model) for i in range(n_steps)])
        return model

    policy = _policy.Policy(None, "Pipeline", (), {})
    for model in (nested(6, 1), nested(2, 20)):
        assert policy.apply(model) is None
    for levels, n_steps in [(40, 1), (12, 1), (4, 30)]:
        with pytest.raises(_policy._Unsound, match="too many estimators"):
            _policy._nested_parts(nested(levels, n_steps), set(), {}, 0)
    own = [text_pipeline()]
    own.append(own)
    with pytest.raises(_policy._Unsound, match="too many estimators"):
        _policy._nested_parts(own, set(), {}, 0)


@pytest.mark.parametrize("kind", ["|V0", "|S0"])
def test_elements_of_no_bytes_are_refused(kind, tmp_path):
    save(in_pipeline(), tmp_path)
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': (1000000000,), }}\n".encode()
    array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    path = tmp_path / manifest_of(tmp_path)["files"]["model"]["name"]
    content = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(content, "w") as new:
        for name in old.namelist():
            new.writestr(name, array if name.endswith(".npy") else old.read(name))
    rewrite(tmp_path, "model", content.getvalue())
    with pytest.raises(ValueError, match="is damaged") as raised:
        load(tmp_path)
    assert "more elements than bytes" in str(raised.value.__cause__)
