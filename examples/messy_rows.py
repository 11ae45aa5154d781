"""Rows and files as people deliver them, answered in one call.

Runs offline on the default encoder, in a few seconds. Languages are mixed; cells are blank or missing;
letters are full-width; text comes with kaomoji, invisible characters and quotations; and a file of
translations has a header, a byte order mark, character references and pairs that should not be there.
"""

import tempfile
import warnings
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from langalign_sk import CrossLingualAligner, ParallelCorpus
from langalign_sk.datasets import load_service_requests
from langalign_sk.languages import LanguageRouter

# As a spreadsheet exports it: a byte order mark, semicolons, and names of languages in Korean.
EXPORT = """\ufeff번호;한국어;영어
1;"배송 &amp; 환불은 어디에서 확인하나요?";"Where can I check delivery &amp; refunds?"
2;카드를 새로 신청하고 싶어요.;I would like to apply for a new card.
3;카드를 새로 신청하고 싶어요.;I would like to apply for a new card.
4;요금이 두 번 청구됐어요.;I was charged twice.
5;;Please call me back.
6;OK;OK
7;비밀번호를 바꾸는 방법을 알려 주세요.;Tell me how to change my password.
"""

ROWS: list[str | None] = [
    "I lost my card, please block it!",
    "Ｉ　ｌｏｓｔ　ｍｙ　ｃａｒｄ，　ｐｌｅａｓｅ　ｂｌｏｃｋ　ｉｔ！",  # full-width
    "카드를 잃어버렸어요 ㅠㅠ (╯°□°)╯︵ ┻━┻",
    "카드를\u200b 잃어\u00ad버렸\u200b어요",  # zero-width spaces, and a soft hyphen
    '앱에 "Wrong password"라고 나와요. 비밀번호를 잊어버렸어요.',
    "カードをなくしました＞＜",
    "ﾊﾟｽﾜｰﾄﾞを忘れました",  # half-width
    "Где моя посылка?",  # a language that is not declared
    "   ",
    None,
]


def read_pairs(path: Path) -> tuple[ParallelCorpus, dict[str, int]]:
    """Pairs of the export that can be learned from, and what was dropped."""
    corpus = ParallelCorpus.read(path, "ko").clean(unescape=True)
    counts = corpus.cleaning_report or {}
    return corpus, {reason: n for reason, n in counts.items() if n}


def train() -> Pipeline:
    """Pipeline for Korean and Japanese that reads a missing cell as an empty text."""
    english, intents = load_service_requests(language="en", return_X_y=True)
    aligner = CrossLingualAligner(["ko", "ja"], corpus=None, missing="empty")
    return make_pipeline(aligner, LogisticRegression(C=10, max_iter=1000)).fit(english, intents)


def answer(pipe: Pipeline, rows: list[str | None]) -> pd.DataFrame:
    """Language and answer of every row; no answer to a blank one, or in an undeclared language."""
    router = LanguageRouter(["ko", "ja"], normalize="auto")
    texts = [row or "" for row in rows]
    table = pd.DataFrame({"language": router.identify(texts), "answer": pipe.predict(rows)})
    blank = [not text.strip() for text in texts]
    table.loc[blank, "language"] = None
    return table.where(table["language"].notna(), "-")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "export.csv")
        path.write_text(EXPORT, encoding="utf-8")
        pairs, dropped = read_pairs(path)
    print(f"{pairs.n_pairs} pairs: {dropped}")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        print(answer(train(), ROWS).to_string())
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        print(f"\n{message}")
