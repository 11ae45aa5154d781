"""Scripts of texts, by evidence over the whole text."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from .codes import base_code, parse_code

__all__ = [
    "Reading",
    "is_latin_only",
    "letters_of",
    "read",
    "script_of",
    "scripts_of_language",
]


# Languages (ISO 639-1) in a script other than Latin; all other languages need `detect`.
_LANGUAGE_SCRIPTS: dict[str, tuple[str, ...]] = {
    "ko": ("Hangul",),
    "ja": ("Kana", "Han"),
    "zh": ("Han", "Bopomofo"),
    **dict.fromkeys(("ru", "uk", "bg", "be", "mk", "kk", "ky", "tg"), ("Cyrillic",)),
    "el": ("Greek",),
    **dict.fromkeys(("ar", "fa", "ur", "ps", "ug", "sd"), ("Arabic",)),
    **dict.fromkeys(("he", "yi"), ("Hebrew",)),
    **dict.fromkeys(("hi", "mr", "ne", "sa"), ("Devanagari",)),
    **dict.fromkeys(("bn", "as"), ("Bengali",)),
    "pa": ("Gurmukhi",),
    "gu": ("Gujarati",),
    "or": ("Oriya",),
    "ta": ("Tamil",),
    "te": ("Telugu",),
    "kn": ("Kannada",),
    "ml": ("Malayalam",),
    "si": ("Sinhala",),
    "th": ("Thai",),
    "lo": ("Lao",),
    "bo": ("Tibetan",),
    "my": ("Myanmar",),
    "ka": ("Georgian",),
    "hy": ("Armenian",),
    "am": ("Ethiopic",),
    "km": ("Khmer",),
    "mn": ("Cyrillic", "Mongolian"),
    "dv": ("Thaana",),
    "ii": ("Yi",),
    "iu": ("Canadian",),
    **dict.fromkeys(("yue", "wuu", "lzh"), ("Han", "Bopomofo")),
}
# Scripts (ISO 15924) that a code may name, as in "uz-Cyrl" or "kas_Deva".
_NAMED_SCRIPTS: dict[str, str] = {
    "Arab": "Arabic",
    "Armn": "Armenian",
    "Beng": "Bengali",
    "Bopo": "Bopomofo",
    "Cyrl": "Cyrillic",
    "Deva": "Devanagari",
    "Ethi": "Ethiopic",
    "Geor": "Georgian",
    "Grek": "Greek",
    "Gujr": "Gujarati",
    "Guru": "Gurmukhi",
    "Hang": "Hangul",
    "Hebr": "Hebrew",
    "Khmr": "Khmer",
    "Knda": "Kannada",
    "Laoo": "Lao",
    "Mlym": "Malayalam",
    "Mong": "Mongolian",
    "Mymr": "Myanmar",
    "Orya": "Oriya",
    "Sinh": "Sinhala",
    "Taml": "Tamil",
    "Telu": "Telugu",
    "Thai": "Thai",
    "Tibt": "Tibetan",
}

# First words of character names that are no scripts: marks and signs of all scripts. NFKC has
# replaced most of them already.
_NO_SCRIPTS_WORDS = """
    CARON COMBINING ENCLOSED EULER FEMININE HANGZHOU MASCULINE MASU MODIFIER MUSICAL PHAISTOS
    ROMAN SIGNWRITING SMALL SQUARED TURNED VARIATION VEDIC VERTICAL VIETNAMESE ZNAMENNY
"""
_NO_SCRIPTS = frozenset(_NO_SCRIPTS_WORDS.split())
_TWO_WORDS = frozenset(("KAYAH", "LINEAR", "MEETEI", "NEW", "OL", "OLD", "SYLOTI", "TAI"))
_RENAMED = {
    "Hiragana": "Kana",
    "Katakana": "Kana",
    "Katakana-hiragana": "Kana",
    "Hentaigana": "Kana",
    "Cjk": "Han",
    "Kangxi": "Han",
    "Ideographic": "Han",
    "Ohm": "Greek",
    "Micro": "Greek",
    **dict.fromkeys(("Kelvin", "Angstrom"), "Latin"),
}

# Every character stands for a class, one character each, so that counts and patterns of classes
# are those of strings. Han characters have classes by what holds them (the four low bits: GB 2312,
# Big5, JIS as of cp932, KS X 1001) and by how often Chinese sentences use them (two more bits).
_LATIN, _DIGIT, _SPACE, _SIGN, _FACE, _JAPANESE_SIGN = "a0 .^J"
_HANGUL, _JAMO, _HIRAGANA, _NO, _KATAKANA, _BOPOMOFO = "HjhnKB"
_HAN = 0x4E00
_STRONG, _WEAK, _RARE = 0x10, 0x20, 0x30
_GB, _BIG5, _JIS, _KS = 1, 2, 4, 8
_SECOND_LEVEL = b"\x98\x9f"
_CODECS = (("gb2312", _GB), ("big5", _BIG5), ("cp932", _JIS), ("euc_kr", _KS))
_OTHER = 0xE000  # scripts without a class of their own, from here on
_OTHERS = "\ue000-\uf8ff"
_LETTERS = f"aHjhnKB\u4e00-\u4e3f{_OTHERS}"

# Characters that Chinese sentences are full of: those that Japanese and Korean do not use, or
# hardly, and those that they use in compounds alone.
_CHINESE = frozenset("你妳您她咱吗嗎呢吧啊呀嘛啦喔哦哪么麼们們这這很怎没沒谁说說还哈吃找拿掉")
_OFTEN_CHINESE = frozenset("的是我了他在不也就要和有個那")
# Signs that faces are made of; beside a lone letter they say that it is no word.
_SIGNS_OF_FACES = frozenset("^_`´｀＾゜ﾟ゚･・｡•●○◉☉⊙◎◔◕⌒≧≦￣¯˘¬▽△▼□‿͜╯╰╥▔︶︿∀∇⊃⊂∠◡⁀ᴥ°❛❥✿ヮω")
_LETTERS_OF_FACES = str.maketrans("", "", "ಠಥ益皿口ロ彡人ノヾωДз∀ヮ一")
_HANDS = r"[ノヽヾﾉﾍヘ┐┌╮╭へシづつっｼ٩۶งฅლσςԅщᕕᕗᕦᕤ〜~oOΣゞ彡ʅʃ\\/¯_*┻━︵凸✧:･ﾟ]{0,6}"
_FACES = re.compile(rf"{_HANDS}[(（༼ʕ]([^()（）༼༽ʕʔ\n]{{1,16}})[)）༽ʔ]{_HANDS}")
_WORD = re.compile(r"[^\W_]{3}|[\u4e00-\u9fff]")
# What stands for itself in any language: addresses, paths of files, names of accounts, tags and
# entities of HTML.
_MARKUP = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.-]{0,15}://|www\.)\w*(?:[!-~]+|(?<=[/=])\w+)*"
    r"|(?<!\w)[A-Za-z]:\\[\w.\\-]+|(?<!\S)~?/\w+(?:/[\w.-]+)+"
    r"|[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]+|@\w+|</?[A-Za-z][^<>]*>|&#?\w{1,31};"
)
_SQUARED = re.compile("[\u3200-\u33ff\U0001f100-\U0001f2ff]")  # letters in circles and squares
_EMOJI = re.compile("[\u3297\u3299\U0001f200-\U0001f265]")  # that are a letter for NFKC
_MARKED = re.compile(r"[@<&]|://|www\.|:\\|/\w+/")
_QUOTED = re.compile(
    r"「[^「」]+」|『[^『』]+』|“[^“”]+”|‘[^‘’]+’|《[^《》]+》|〈[^〈〉]+〉|«[^«»]+»|\"[^\"]+\""
    r"|(?<![^\W_])'[^']+'(?![A-Za-z])|`[^`]+`"
)
_CODES = re.compile(r"(?<![A-Za-z])(?=[A-Za-z-]{0,31}\d)[A-Za-z0-9-]+")
_WORDS = re.compile(r"[A-Za-z]+")
_EAST = "HjhnKB\u4e00-\u4e3f"
_GLUED = re.compile(f"a[{_EAST}]|[{_EAST}]a")
_GLUED_WORD = re.compile(f"a+(?=[{_EAST}])|(?<=[{_EAST}])a+")
_LONE = re.compile(f"(?<![{_OTHERS}])[{_OTHERS}](?![{_OTHERS}])")
_LONE_KANA = re.compile(
    f"(?<=\\^)[hnK]{{1,2}}(?![{_LETTERS}])|(?<![{_LETTERS}])[hnK]{{1,2}}(?=\\^)"
)
_HIRAGANA_RUN = re.compile("n*h[hn]*")
_HANGUL_RUN = re.compile("H+")
_GRAMMAR = re.compile("[hn]+|H+")  # endings and particles around what is quoted
# Words that Japanese writes without kana.
_JAPANESE_WORDS = re.compile(
    "丁目|番地|御中|致し|株式会社|大丈夫|終了|曜日|(?:(?<!命)令和|平成|昭和|大正)[元一二三四五六七八九十0-9]"
)
# Characters of Chinese sentences outside the compounds that Japanese uses them in.
_CHINESE_WORDS = re.compile(
    "今天|明天|昨天|(?<![許認])可以(?![外上下内前後降来])|但是|(?<![社国校党])是(?![非正認])"
    "|(?<![怪自無彼没忘])我(?![慢々が流等])|(?<![終完満修魅校未読受投議結])了(?![解承知見簡])"
    "|(?<=[\u30a1-\u30ff])的(?=[\u4e00-\u9fff]{4})"
)
# What is called to people with a greeting and is no name.
_NO_NAME = re.compile("니다|니까|세요|[에예어아해네]요|죠|안녕|여러분|모두|みな|皆|大家|各位|好")
_NAME = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]+")
_HONORIFIC = re.compile("(?:さん|さま|様|氏|君|くん|ちゃん|先生|님|씨|老师|老師)$")

# Latin letters that a syllable of Hangul or a Han character corresponds to, about, and a kana; these
# and the next numbers were set on the rows tuned on of `python -m benchmarks scores --only routing`.
_EAST_WEIGHT, _KANA_WEIGHT = 3.0, 2.0
_LATIN_SHARE = 2  # two thirds
_LATIN_PER_GLUED = 9
# Words that say that a row is English, and not that it names a product.
_ENGLISH_WORDS = """
    a about after again against all already also although always am an and another any approved
    are as ask asked at be because been before between bought but by call called came can cannot
    could did do does doing done down during each either every for from gave get give go goes
    going got had has have having he hello her here hi him his how however i if in into is it
    its just last like listed love made many me mean means meeting more most moved much must my
    name need needs never next nice no not now of off often on one only or other our out over
    please received said say says see send sent she should signed since so some sorry still such
    than thank thanks that the their them then there these they this those though through to too
    took under until up us used very want wants was we were what when where whether which while
    who whose why will with within without word would write yet you your
"""
_ENGLISH = frozenset(_ENGLISH_WORDS.split())
_WORTH_OF_A_WORD = 6
_N_OF_LABELS = 3  # letters of "IT", "A", "ALL", which in capitals alone are labels and no words
_GREETINGS_WORDS = """
    bye congrats cool dear doctor dr evening good goodbye great haha hello hey hi madam miss
    morning mr mrs ms nice night omg prof professor sir sorry thank thanks welcome wow you
"""
_GREETINGS = frozenset(_GREETINGS_WORDS.split())
_N_OF_NAMES, _N_OF_THINGS = 3, 6  # letters of a name after a greeting, and after English words
# Characters of a text that are looked at: normal forms of some take quadratic time, and encoders read
# the start of a text.
_N_READ = 16_384
_N_SHORT = 16  # characters of a text whose reading is kept


class Reading(NamedTuple):
    """Main script of a text, and what tells Chinese from Japanese where that is Han.

    Attributes
    ----------
    script : str
        "Latin" or the name of another script.
    lean : {"ja", "zh", ""}
        Language that the Han characters belong to, "" if nothing speaks for either.
    hangul : bool
        Whether there is Hangul in the text.
    """

    script: str
    lean: str = ""
    hangul: bool = False


_ENGLISH_ROW, _KOREAN_ROW = Reading("Latin"), Reading("Hangul", hangul=True)
_JAPANESE_ROW, _CHINESE_ROW, _HAN_ROW = Reading("Kana", "ja"), Reading("Han", "zh"), Reading("Han")
_MARKS = re.compile('[「『“"《〈«]')
_HAN_KINDS = frozenset(chr(_HAN + bits) for bits in range(64))
_NOT_FOREIGN = frozenset((_LATIN, _DIGIT, _SPACE, _SIGN, _FACE, _JAPANESE_SIGN))
_DOUBTFUL = frozenset((_LATIN, _FACE))
_N_OF_FACES = 6  # letters that a kaomoji may have
_OF_HANGUL, _OF_KANA = frozenset((_HANGUL, _JAMO)), frozenset((_HIRAGANA, _NO, _KATAKANA))
_EASTERN = _OF_HANGUL | _OF_KANA | _HAN_KINDS | {_BOPOMOFO}
_KNOWN = [kind for kind in _HAN_KINDS if ord(kind) & 15]
_NOT_GB = frozenset(kind for kind in _KNOWN if not ord(kind) & _GB)
_NOT_BIG5 = frozenset(kind for kind in _KNOWN if not ord(kind) & _BIG5)
_OF_CHINESE = frozenset(kind for kind in _KNOWN if ord(kind) & _STRONG or not ord(kind) & _JIS)


def scripts_of_language(language: str) -> tuple[str, ...]:
    """Names of the non-Latin scripts of a language, empty for Latin and unknown ones.

    Parameters
    ----------
    language : str
        Code of a language, which may have a script and a region ("zh-TW", "uz-Cyrl", "kor_Hang").

    Returns
    -------
    tuple of str
        Script names, the most distinctive one first.

    Examples
    --------
    >>> from langalign_sk.languages import scripts_of_language
    >>> scripts_of_language("ja"), scripts_of_language("de")
    (('Kana', 'Han'), ())
    """
    scripts = _LANGUAGE_SCRIPTS.get(base_code(language), ())
    tag = parse_code(language)
    if tag is None or tag.writing is None:
        return scripts
    if tag.writing == "Latn":
        return ()
    named = _NAMED_SCRIPTS.get(tag.writing)
    return scripts if named is None or named in scripts else (named,)


def script_of(text: str) -> str:
    """Name of the main script of a text; "Latin" for text without letters.

    The letters of the whole text decide, or of its first 16,384 characters. Text is Latin if two
    thirds of its letters are, where a letter of Korean, Japanese or Chinese counts as two or three,
    and English words count more. What is quoted, kaomoji, addresses, tags of HTML and lone letters of
    formulas do not decide where there are other letters. Hangul prevails over Han, which Korean
    borrows, and kana over Han, unless the Han characters or words are Chinese and the kana is a word
    or an ornament among them.

    Parameters
    ----------
    text : str
        A text; it is normalized to NFKC first.

    Returns
    -------
    str
        "Latin" or the name of another script.

    Examples
    --------
    >>> from langalign_sk.languages import script_of
    >>> [script_of(t) for t in ("Good day", "안녕하세요", "お元気ですか", "你好", "OK 2026")]
    ['Latin', 'Hangul', 'Kana', 'Han', 'Latin']
    >>> [script_of(t) for t in ("nice (´▽`)ノ", "憲法의 前文", "優の良品很好吃")]
    ['Latin', 'Hangul', 'Han']
    """
    return read(text).script


def read(text: str) -> Reading:
    """Main script of a text, with the evidence that the router needs.

    Parameters
    ----------
    text : str
        A text; it is normalized to NFKC first.

    Returns
    -------
    Reading
        Script, and language of its Han characters.
    """
    text = text[:_N_READ]
    if text.isascii():
        return _ENGLISH_ROW
    normal = unicodedata.normalize("NFKC", text)
    if normal != text and _EMOJI.search(text):
        text = _EMOJI.sub(" ", text)
        normal = unicodedata.normalize("NFKC", text)
    quick = _quick(normal, normal.translate(_CLASSES))
    return quick or (_weighed_short if len(text) <= _N_SHORT else _weighed)(text)


def _quick(text: str, classes: str) -> Reading | None:
    """Reading of a text whose letters leave no doubt; None for others."""
    kinds = set(classes)
    foreign = kinds - _NOT_FOREIGN
    if not foreign:
        return _ENGLISH_ROW
    if not foreign <= _EASTERN:
        return None
    if not kinds.isdisjoint(_DOUBTFUL):
        n = sum(map(classes.count, foreign - {_JAMO}))
        if (n <= 3 or n < classes.count(_LATIN)) if _LATIN in kinds else n <= _N_OF_FACES:
            return None
    if foreign <= _OF_HANGUL:
        return _KOREAN_ROW
    if not foreign.isdisjoint(_OF_HANGUL):
        return None
    if foreign.isdisjoint(_OF_KANA):
        return _by_han(None, text, classes, kinds)
    if not foreign.isdisjoint(_OF_CHINESE) or _MARKS.search(text):
        return None
    if _HIRAGANA not in kinds and not foreign <= _OF_KANA:
        return None
    return _JAPANESE_ROW if sum(map(classes.count, _OF_KANA)) > 2 else None


def letters_of(text: str) -> dict[str, float]:
    """Weight of the letters of a text by script, for the best guess of a row in no declared language.

    Parameters
    ----------
    text : str
        A text.

    Returns
    -------
    dict of str to float
        Weights by name of script; a letter of Korean, Japanese or Chinese counts as two or three of
        Latin.
    """
    letters = _Letters.of(unicodedata.normalize("NFKC", text[:_N_READ]).translate(_CLASSES))
    out = {"Latin": float(letters.latin), **letters.others}
    out["Hangul"] = _EAST_WEIGHT * (letters.hangul - letters.jamo) + letters.jamo
    out["Kana"] = _KANA_WEIGHT * letters.kana
    out["Han"] = _EAST_WEIGHT * letters.han
    return {script: weight for script, weight in out.items() if weight}


def is_latin_only(text: str, scripts: Sequence[str]) -> bool:
    """Whether a text of a language with other scripts has letters of the Latin script only."""
    found = letters_of(text)
    return bool(scripts) and "Latin" in found and not any(script in found for script in scripts)


class _Letters(NamedTuple):
    """Counts of letters, by what they say of the language."""

    latin: int
    hangul: int
    jamo: int
    kana: int
    bopomofo: int
    others: dict[str, float]
    foreign: bool
    han: float
    chinese: float  # Han characters that Japanese does not have, or hardly uses
    often_chinese: float  # half the number of those that Chinese uses more than Japanese and Korean
    old: float  # half the number of the forms that Japanese gave up
    not_korean: float
    japanese: float  # Han characters that no Chinese standard has, beside the rest of the text

    @classmethod
    def of(cls, classes: str) -> _Letters:
        counts = Counter(classes)
        han = _han_counts({c: n for c, n in counts.items() if "\u4e00" <= c < "\ue000"})
        others: dict[str, float] = {}
        for char, n in counts.items():
            if char >= "\ue000":
                name = _NAMES[ord(char) - _OTHER]
                others[name] = others.get(name, 0.0) + n
        kana = counts[_HIRAGANA] + counts[_NO] + counts[_KATAKANA]
        hangul, jamo, bopomofo = counts[_HANGUL], counts[_JAMO], counts[_BOPOMOFO]
        han["japanese"] += 2 * counts[_JAPANESE_SIGN]
        return cls(
            latin=counts[_LATIN],
            hangul=hangul + jamo,
            jamo=jamo,
            kana=kana,
            bopomofo=bopomofo,
            others=others,
            foreign=bool(hangul or jamo or kana or bopomofo or han["han"] or others),
            **han,
        )


def _han_counts(counts: Mapping[str, int]) -> dict[str, float]:
    """Number of Han characters, and of those that speak for and against languages."""
    total = only_japanese = not_gb = not_big5 = chinese = often = old = not_korean = 0
    for char, n in counts.items():
        code = ord(char) - _HAN
        kind = code & _RARE
        total += n
        if not code & 15:
            continue  # no standard holds it
        not_gb += n * (not code & _GB)
        not_big5 += n * (not code & _BIG5)
        only_japanese += n * (code & 15 == _JIS)
        chinese += n * (kind == _STRONG or not code & _JIS)
        often += n * (kind == _WEAK)
        old += n * (kind == _RARE)
        not_korean += n * (kind == _STRONG or not code & _KS)
    return {
        "han": total,
        "chinese": chinese,
        "often_chinese": often / 2,
        "old": old / 2,
        "not_korean": not_korean,
        "japanese": only_japanese + min(not_gb, not_big5),
    }


def _by_han(letters: _Letters | None, text: str, classes: str, kinds: set[str]) -> Reading:
    """Reading of a text in Han characters alone, whose letters are counted if need be."""
    words = len(_JAPANESE_WORDS.findall(text)) + _laughs(text)
    one_standard = kinds.isdisjoint(_NOT_GB) or kinds.isdisjoint(_NOT_BIG5)
    if one_standard and not words and kinds.isdisjoint((_BOPOMOFO, _JAPANESE_SIGN)):
        return _HAN_ROW if kinds.isdisjoint(_OF_CHINESE) else _CHINESE_ROW
    letters = letters or _Letters.of(classes)
    if letters.bopomofo > letters.han:
        return Reading("Bopomofo", "zh")
    chinese = letters.chinese + letters.often_chinese + letters.old + letters.bopomofo
    japanese = letters.japanese + words
    if japanese > chinese:
        return Reading("Han", "ja")
    return _CHINESE_ROW if chinese else _HAN_ROW


def _laughs(text: str) -> bool:
    """Whether a text ends with the `w` that laughs in Japanese."""
    before = text.rstrip("w")
    return before != text and not before[-1:].isascii()


def _weighed(text: str) -> Reading:
    """Reading of a text with letters of several scripts, or with signs of kaomoji."""
    text, classes, letters = _evidence(text)
    if not letters.foreign:
        return Reading("Latin")
    mixed = bool(letters.latin) + len(letters.others) + bool(letters.hangul) + bool(letters.kana)
    if mixed + bool(letters.han) > 1:
        outside = _QUOTED.sub(" ", text)
        if outside != text:
            _, other_classes, other = _evidence(outside, strip=False)
            inside = _weight(letters) - _weight(other) + (letters.latin - other.latin) / 2
            if (
                1.5 * (_weight(other) + _latin_weight(outside)) >= inside
                or len(_GRAMMAR.findall(other_classes)) > 1
            ):
                text, classes, letters = outside, other_classes, other
    if letters.latin and _is_latin(text, classes, letters):
        return Reading("Latin")
    return _main_foreign(text, classes, letters)


# Short rows are often the same: thanks, yes and no.
_weighed_short = lru_cache(maxsize=4096)(_weighed)


def _evidence(text: str, strip: bool = True) -> tuple[str, str, _Letters]:
    """Text, classes and letters without what does not tell a language."""
    if strip:
        faceless = _FACES.sub(_without_face, text)
        unsigned = _SQUARED.sub(" ", faceless)
        faceless = unsigned if any(map(str.isalpha, unsigned)) else faceless
        if _MARKED.search(faceless):
            bare = _MARKUP.sub(" ", faceless)
            faceless = bare if any(map(str.isalpha, bare)) else faceless
        text = unicodedata.normalize("NFKC", faceless)
    classes = text.translate(_CLASSES)
    letters = _Letters.of(classes)
    if letters.others:
        classes = _LONE.sub(_SIGN, classes)
        classes = _without_symbols(classes)
    if letters.kana:
        classes = _LONE_KANA.sub(_SIGN, classes)
    return text, classes, _Letters.of(classes)


def _without_face(match: re.Match[str]) -> str:
    inside = match[1].translate(_LETTERS_OF_FACES)
    signs = not _SIGNS_OF_FACES.isdisjoint(match[0]) or len(inside) < len(
        match[1].replace("一", "")
    )
    return match[0] if _WORD.search(inside) or not signs else " ^ "


def _without_symbols(classes: str) -> str:
    """Classes without Greek letters of formulas."""
    runs = _GREEK_RUN.findall(classes)
    if not runs or any(len(run) >= 5 or (len(run) >= 3 and _ACCENTED in run) for run in runs):
        return classes
    alone = not re.search(f"[a0{_SIGN}{_FACE}]", classes)
    limit = 1 if alone else 4
    if any(len(run) > limit for run in runs):
        return classes
    return _GREEK_RUN.sub(_SIGN, classes)


def _weight(letters: _Letters) -> float:
    """Letters of other scripts, as numbers of Latin letters."""
    return (
        _EAST_WEIGHT * (letters.hangul - letters.jamo + letters.han)
        + letters.jamo
        + _KANA_WEIGHT * (letters.kana + letters.bopomofo)
        + sum(letters.others.values())
    )


def _words(text: str) -> list[str]:
    """Latin words of a text, without codes of products."""
    return _WORDS.findall(_CODES.sub(" ", text))


def _n_english(words: list[str]) -> int:
    """Number of the English words; short ones in capitals count beside others alone."""
    sentence = any(word.islower() for word in words)
    n = 0
    for word in words:
        if word.lower() in _ENGLISH and (
            sentence or len(word) > _N_OF_LABELS or not word.isupper()
        ):
            n += 1
            sentence = sentence or len(word) > _N_OF_LABELS
    return n


def _latin_weight(text: str) -> int:
    """Latin letters of a text, with English words counting more."""
    words = _words(text)
    return sum(map(len, words)) + _WORTH_OF_A_WORD * _n_english(words)


def _is_latin(text: str, classes: str, letters: _Letters) -> bool:
    """Whether Latin letters outweigh the others: two thirds, or more where words are joined."""
    words = _words(text)
    english = _n_english(words)
    if _GLUED.search(classes):
        foreign = letters.hangul + letters.kana + letters.han + letters.bopomofo
        # Without English words, a word that has an ending outweighs names that have none.
        within = classes if english else "".join(_GLUED_WORD.findall(classes))
        return within.count(_LATIN) > _LATIN_PER_GLUED * (foreign + sum(letters.others.values()))
    weight = _weight(letters)
    eastern = weight > sum(letters.others.values())
    if eastern and (not english or english < len(_HIRAGANA_RUN.findall(classes))):
        # Names of products and people fill rows of Korean, Japanese and Chinese.
        weight *= _LATIN_PER_GLUED / (_LATIN_SHARE * _EAST_WEIGHT)
    if _latin_weight(text) >= _LATIN_SHARE * weight:
        return True
    return _is_greeting(text, classes, letters, words)


def _is_greeting(text: str, classes: str, letters: _Letters, words: list[str]) -> bool:
    """Whether a short text is English words and a name: "Hi 김철수", "What is 비빔밥?", or laughter."""
    lower = [word.lower() for word in words]
    if letters.jamo and letters.jamo == _weight(letters) and not _GREETINGS.isdisjoint(lower):
        return True
    if (
        not classes.lstrip(_SPACE + _SIGN).startswith(_LATIN)
        or not words
        or letters.chinese
        or _NO_NAME.search(text)
    ):
        return False
    names = _NAME.findall(text)
    if _GREETINGS.issuperset(lower):
        return len(_HONORIFIC.sub("", "".join(names))) <= _N_OF_NAMES
    sentence = len(words) > 1 and _ENGLISH.issuperset(lower) and words[-1].islower()
    return sentence and len(names) == 1 and len(names[0]) <= _N_OF_THINGS


def _main_foreign(text: str, classes: str, letters: _Letters) -> Reading:
    """Reading of a text that is not Latin."""
    east = letters.hangul + letters.kana + letters.han + letters.bopomofo
    others = letters.others
    if others and max(others.values()) > 2 * east:
        return Reading(max(others, key=others.__getitem__), hangul=bool(letters.hangul))
    if letters.hangul and letters.hangul >= letters.kana and _is_korean(classes, letters):
        return Reading("Hangul", hangul=True)
    hangul = bool(letters.hangul)
    if not letters.kana:
        script, lean, _ = _by_han(letters, text, classes, set(classes))
        return Reading(script, lean, hangul)
    if not letters.han:
        return Reading("Kana", hangul=hangul)
    runs = len(_HIRAGANA_RUN.findall(classes))
    weak = len(_CHINESE_WORDS.findall(text))
    if runs:
        strong = letters.chinese + weak
        chinese = bool(strong) and strong + letters.often_chinese / 2 + letters.old > runs
    else:
        chinese = letters.chinese + weak > letters.japanese
    return Reading("Han", "zh", hangul) if chinese else Reading("Kana", "ja", hangul)


def _is_korean(classes: str, letters: _Letters) -> bool:
    """Whether Hangul prevails over Han: Chinese does not borrow Hangul but quotes it."""
    if 2 * letters.hangul >= letters.han:
        return True
    runs = len(_HANGUL_RUN.findall(classes))
    return letters.not_korean + letters.often_chinese <= runs


class _Classes(dict[int, str]):
    """Classes of characters by code point, worked out when a character is first met."""

    def __missing__(self, code: int) -> str:
        self[code] = out = _class_of(chr(code))
        return out


_CLASSES = _Classes()
# Scripts without a class of their own, in the order met; Greek letters with accents have their own.
_NAMES: list[str] = ["Greek", "Greek"]
_GREEK, _ACCENTED = chr(_OTHER), chr(_OTHER + 1)
_GREEK_RUN = re.compile(f"[{_GREEK}{_ACCENTED}]+")


def _class_of(char: str) -> str:
    code, category = ord(char), unicodedata.category(char)
    if _is_han(code):
        return _class_of_han(char)
    if char == "〒":
        return _JAPANESE_SIGN
    if char == "〆":
        return _class_of_han("込")
    if category[0] == "N" and category != "Nl":
        return _DIGIT
    if category[0] == "Z" or char.isspace():
        return _SPACE
    if category[0] not in "LM" and category != "Cn":
        return "" if category == "Cf" else _FACE if char in _SIGNS_OF_FACES else _SIGN
    script = _script_of_char(char, category)
    if script == "Latin":
        return _LATIN
    if script == "Hangul":
        return _JAMO if 0x3130 <= code < 0x3190 or 0x1100 <= code < 0x1200 else _HANGUL
    if script == "Kana":
        if char == "の":
            return _NO
        return _HIRAGANA if 0x3040 < code < 0x30A0 else _KATAKANA
    if script == "Bopomofo":
        return _BOPOMOFO
    if not script:
        return "" if category[0] == "M" else _SIGN
    if script == "Greek" and unicodedata.decomposition(char):
        return _ACCENTED
    if script not in _NAMES:
        _NAMES.append(script)
    return chr(_OTHER + _NAMES.index(script))


def _is_han(code: int) -> bool:
    """Whether a code point is of Han, also of extensions that this Python does not know yet."""
    return (
        0x4E00 <= code <= 0x9FFF
        or 0x3400 <= code <= 0x4DBF
        or code in (0x3005, 0x3007, 0x303B)
        or 0x2E80 <= code <= 0x2FD5
        or 0xF900 <= code <= 0xFAFF
        or 0x20000 <= code <= 0x3FFFD  # the two planes of ideographs
    )


def _class_of_han(char: str) -> str:
    bits = 0
    for codec, bit in _CODECS:
        try:
            char.encode(codec)
        except UnicodeEncodeError:
            continue
        bits |= bit
    # The second level of JIS holds simplified characters, which Japanese does not write with, and
    # old forms, which it hardly does.
    rare = bits & _JIS and char.encode("cp932") >= _SECOND_LEVEL
    if char in _CHINESE or (rare and bits & _GB and not bits & _BIG5):
        bits |= _STRONG
    elif char in _OFTEN_CHINESE:
        bits |= _WEAK
    elif rare and bits & _BIG5 and not bits & _GB:
        bits |= _RARE
    return chr(_HAN + bits)


def _script_of_char(char: str, category: str) -> str:
    """Name of the script of a letter or mark, by its name in Unicode; "" for those of all scripts."""
    name = unicodedata.name(char, "")
    code = ord(char)
    if not name:
        if 0x17000 <= code <= 0x18D8F:
            return "Tangut"
        return "" if 0x1F000 <= code <= 0x1FAFF or code & 0xFFFE == 0xFFFE else "Unknown"
    words = name.split()
    if words[0] in _NO_SCRIPTS:
        return ""
    first = " ".join(map(str.capitalize, words[: 2 if words[0] in _TWO_WORDS else 1]))
    return _RENAMED.get(first, first)
