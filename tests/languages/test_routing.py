"""Tests of the language of rows of mixed kinds, and of rows in no declared language."""

import warnings

import pytest

from langalign_sk.languages import LanguageRouter, script_of
from langalign_sk.languages.router import one_report

ALL = ("ko", "ja", "zh")


def cases(*groups):
    """One parameter set a row: (languages, language, kind, rows)."""
    return [
        pytest.param(languages, language, row, id=f"{kind}-{i}-{'+'.join(languages)}")
        for languages, language, kind, rows in groups
        for i, row in enumerate(rows)
    ]


@pytest.mark.parametrize(
    ("languages", "language", "row"),
    cases(
        (
            ("ko",),
            "en",
            "kaomoji in English",
            [
                "lol ¯\\_(ツ)_/¯",
                "Good job (づ｡◕‿‿◕｡)づ",
                "ヽ(´▽`)/",
                "¯\\_(ツ)_/¯",
                "(╯°□°)╯︵ ┻━┻ not again",
                "( ͡° ͜ʖ ͡°)",
                "(ಥ﹏ಥ) so sad",
                "ヽ༼ຈل͜ຈ༽ﾉ and off we go",
                "щ(゜ロ゜щ) why",
                "see you (*´∀`)ﾉ",
                "ʕ•ᴥ•ʔ",
                "it broke (ノಠ益ಠ)ノ彡┻━┻",
                "(ノ◕ヮ◕)ノ*:・゚✧",
                "｡ﾟ(ﾟ´Д｀ﾟ)ﾟ｡ my exam",
                "(；一_一)",
                "凸(-_-)凸 bad service",
            ],
        ),
        (
            ALL,
            "zh",
            "kaomoji in Chinese",
            [
                "今天好开心ヾ(≧▽≦*)o",
                "谢谢你(ノ´▽`)ノ♪",
                "好的呢(๑•̀ㅂ•́)و✧",
                "真的吗Σ(っ °Д °;)っ",
                "早上好ヾ(◍°∇°◍)ﾉﾞ",
                "气死了(ノ｀Д)ノ",
                "求帮忙(人´∀`)",
                "收到！(￣^￣)ゞ",
                "我也是 _(:з)∠)_",
            ],
        ),
        (("zh",), "zh", "Chinese alone", ["今天好开心ヾ(≧▽≦*)o", "优の良品"]),
        (
            ALL,
            "zh",
            "kana as a word or ornament in Chinese",
            [
                "优の良品",
                "无印の良品",
                "这家店叫「さくら」，味道很不错，价格也便宜",
                "他喜欢看《ワンピース》这部动漫",
                "请问“すみません”是什么意思",
                "我在学日语，今天学了「は」和「が」的区别",
                "我想买一个ハローキティ的杯子",
                "買了一個 ポケモン 的娃娃給女兒",
            ],
        ),
        (
            ALL,
            "ja",
            "kana among many kanji",
            [
                "東京都渋谷区道玄坂一丁目の件",
                "個人情報保護方針改定の件",
                "本人確認書類提出期限延長申請の手続",
                "新型肺炎感染症対策本部会議の開催",
                "本社営業部長代理の出張報告",
                "全国高等学校野球選手権大会が開幕",
                "公益財団法人日本体育協会へ寄付",
                "未払残業代請求訴訟を提起",
                "最高裁判所第三小法廷は上告棄却",
                "目的地の変更",
                "不在通知の件",
                "我慢の限界",
            ],
        ),
        (
            ALL,
            "ja",
            "kanji alone that Chinese does not write with",
            [
                "東京駅",
                "緊急事態宣言解除後対応方針",
                "令和六年度予算案閣議決定",
                "入場券売場",
                "無理ｗ",
            ],
        ),
        (ALL, "zh", "Han that says nothing", ["你好", "中山大学", "人山人海", "平安", "上海"]),
        *(
            (
                languages,
                "ko",
                "Hanja beside Hangul",
                [
                    "大韓民國은 民主共和國이다",
                    "李明博 前大統領이 訪美中",
                    "高麗大學校 醫科大學에 入學",
                    "國家의 安全保障을 爲하여",
                    "日 外相 내일 訪韓",
                    "中國 上海에서 열린 博覽會",
                    "金 代理가 出張中",
                    "訓民正音은 世宗大王이 創製",
                    "吾等은 玆에 我 朝鮮의 獨立國임과 朝鮮人의 自主民임을 宣言하노라",
                    "不正選擧에 對한 調査",
                ],
            )
            for languages in (("ko",), ALL)
        ),
        (("ko",), "ko", "Chinese with a Korean name", ["我的韩国朋友叫김민수，他住在首尔"]),
        (
            ALL,
            "zh",
            "Korean in Chinese",
            ["我的韩国朋友叫김민수，他住在首尔", "“사랑해”是什么意思？"],
        ),
        (
            ALL,
            "ko",
            "Chinese in Korean",
            ["중국어 谢谢는 고맙다는 뜻이에요", "「さくら」라는 가게"],
        ),
        (ALL, "ja", "Korean in Japanese", ["김민수さんから電話がありました"]),
        (
            ("ko",),
            "en",
            "name or word of an undeclared script in English",
            [
                "Please contact Иван Петров about order 5531 as soon as possible",
                "My name is สมชาย and I need a refund please",
                "The word for thank you is ありがとう in Japanese, right?",
                "He said شكرا and left the shop",
                "I saw נועה yesterday at the office",
                "The Hindi word नमस्ते means hello",
                "Is 東京 the capital of Japan?",
                "Contact: Владимир in the Kyiv office, extension 12",
            ],
        ),
        (
            ("ko",),
            "en",
            "Greek signs",
            [
                "the αβ-crystallin gene",
                "sin(αβ) + cos(γδ)",
                "ΔΣ modulator",
                "The χ² test, ρ = .4, η² = .1",
                "E = hν",
                "Γ(n+1) = n!",
                "φ(ω₁ω₂)",
                "ΑΒΓ triangle",
            ],
        ),
        (("el",), "el", "Greek", ["Πού είναι το δέμα μου;", "το iPhone μου χάλασε", "ναι"]),
        (
            ("ko",),
            "en",
            "Korean name or laughter in short English",
            [
                "Mr. 이 called",
                "Hi 김철수",
                "nice ㅎㅎ",
                "Hello 민수",
                "Thanks 지영!",
                "Dear 박 과장",
                "haha ㅋㅋ ok see you",
                "this is 김민수",
                "good ㅋㅋㅋㅋ",
                "wow ㄷㄷ",
            ],
        ),
        (
            ("ko",),
            "ko",
            "English words in Korean",
            [
                "OK 감사합니다",
                "iPhone 15 Pro Max 환불해 주세요",
                "Hi 안녕하세요",
                "hello 여러분",
                "login이 안 돼요",
                "Netflix 환불",
                "OK ㅋㅋㅋ",
                "kubectl용 WWW GUI",
            ],
        ),
        (ALL, "en", "name in short English", ["Hi 王小明", "Mr. 李 called", "Dear 田中さん"]),
        (ALL, "zh", "greeting in Chinese", ["hello 大家好", "Hi 你好", "deploy之后timeout"]),
        (ALL, "ja", "greeting in Japanese", ["Hello みなさん", "このPRをreviewして", "DVDを見る"]),
        (
            ("ko",),
            None,
            "undeclared scripts",
            [
                "ꀀꀁꀂ",
                "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ",
                "ⴰⵎⴰⵣⵉⵖ",
                "ᐃᓄᒃᑎᑐᑦ",
                "ߒߞߏ",
                "ܫܠܡܐ",
                "ދިވެހި",
                "𞤆𞤵𞤤𞤢𞤪",
                "𐎠𐎼𐎹",
                "\U000323af\U00031350",
                "Καλημέρα σας",
            ],
        ),
        (
            ("zh",),
            "zh",
            "rare Han",
            ["\U000323af\U00031350", "⺀⺁", "⼀⼆⼈", "𪚥𠔻", "\U0002ebf0\U0002ebf1", "豈更"],
        ),
        (
            ("ko",),
            "ko",
            "addresses, tags and codes beside Korean",
            [
                "https://example.com/very/long/path?with=query 안돼요",
                "문의: help.center@example.co.kr",
                "@minsu_kim 님 확인",
                '<a href="https://example.com/notice/2026">공지</a>',
                "0xDEADBEEF 오류",
            ],
        ),
        (
            ("ko",),
            "en",
            "addresses and signs beside English",
            [
                "See https://example.com/도움말/환불 for the refund rules",
                "@정우 can you review this?",
                "The bag weighs 5 ㎏",
                "Samsung ㈜ is listed as the sender",
                "½ cup, №3, 38 ℃",
                "family 👨‍👩‍👧‍👦",
                "ＯＲＤＥＲ ４４８１",
            ],
        ),
        (
            ALL,
            "ko",
            "labels in capitals beside Korean",
            [
                "A 팀",
                "IT 팀",
                "AM 9시",
                "MY 포인트",
                "NO 답",
                "A 타입 있나요",
            ],
        ),
        (ALL, "ja", "labels in capitals beside Japanese", ["US ドル", "IT 企業の人"]),
        (
            ALL,
            "zh",
            "labels in capitals beside Chinese",
            ["A 股", "IT 男", "US 版", "NO 作 NO DIE"],
        ),
        (
            ALL,
            "en",
            "name of a thing after English words",
            [
                "I want 김치찌개",
                "What is 量子力学",
                "Who is 周杰倫?",
                "She is 한국인",
                "I ate 김치 again",
            ],
        ),
        (ALL, "ko", "Korean after English words", ["please 환불해주세요", "HOW TO 설치"]),
        (("ko",), "en", "emoji that are characters", ["㊗️", "🈵", "㊙️㊗️ 100", "🈶 12", "🈁"]),
        (ALL, "zh", "emoji that are characters in Chinese", ["🈶折扣吗", "㊗你生日快乐"]),
        (
            ALL,
            "en",
            "addresses and paths in other scripts",
            [
                "Check www.네이버.com",
                "See https://www.example.com/search?q=안녕하세요&hl=ko for results",
                "path is C:\\사용자\\문서\\a.txt",
                "Please rename /home/사용자/바탕화면/a.txt",
            ],
        ),
        (
            ALL,
            "ko",
            "code and addresses quoted in Korean",
            [
                "`git push origin main --force` 안 됨",
                "www.네이버.com 접속 불가",
                "https://한국.kr/页面/1 이 링크",
                "“今日はとても良い天気ですね、散歩に行きましょう” 해석해 주세요",
            ],
        ),
        (
            ALL,
            "ja",
            "Korean and Chinese quoted in Japanese",
            [
                "「谢谢」と「감사합니다」の違いは？",
                "「안녕하세요 저는 김민수입니다」と書いてあります",
                "https://www.example.com/search?q=안녕 を開く",
            ],
        ),
        (
            ALL,
            "ja",
            "characters of Chinese sentences in Japanese compounds",
            ["怪我の治療", "自我の形成", "無我の境地", "社是の策定", "許可以外の立入", "議了の件"],
        ),
        (
            ALL,
            "zh",
            "Japanese names in Traditional Chinese",
            [
                "我要預約星のや的房間",
                "ユニクロ的外套尺寸不合",
                "我買的ソニー耳機壞了",
                "在サイゼリヤ吃飯",
            ],
        ),
    ),
)
def test_language_of_rows_of_mixed_kinds(languages, language, row):
    assert LanguageRouter(languages).identify([row]) == [language]


@pytest.mark.parametrize(
    ("start", "language"), [("가", "ko"), ("a", "en"), ("я", None)], ids=["ko", "en", "ru"]
)
@pytest.mark.parametrize("marks", ["\u0301\u0323", "\ufdfa", "\u3042\u0301\u3099"], ids=ascii)
def test_the_start_of_a_very_long_row_decides(start, language, marks):
    row = start * 20_000 + marks * 500_000  # whose normal form takes quadratic time, or is long
    assert LanguageRouter(["ko"]).identify([row]) == [language]


def test_rows_do_not_depend_on_others():
    rows = ["優の良品", "안녕", "nice ㅎㅎ", "ꀀꀁ", "東京都の件", ""]
    router = LanguageRouter(ALL)
    assert router.identify(rows) == [router.identify([row])[0] for row in rows]


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("優の良品很好吃", "Han"),
        ("憲法의 前文", "Hangul"),
        ("ꀀꀁꀂ", "Yi"),
        ("ᏣᎳᎩ", "Cherokee"),
        ("ᱥᱟᱱᱛᱟᱲᱤ", "Ol Chiki"),
        ("\U00017000\U00017001", "Tangut"),
        ("\U0003134f\U00031350", "Han"),
        ("\U000e0fff\U000e0ffe", "Unknown"),  # not assigned
    ],
)
def test_script_of_more_scripts(text, script):
    assert script_of(text) == script


MIXED = ["Good morning", "สวัสดี", "안녕하세요", "Где посылка?", "ok"]


def test_unknown_rows_are_warned_of_once_with_their_number_and_rows():
    with pytest.warns(UserWarning, match="2 of 5 rows") as caught:
        assert LanguageRouter(["ko"])(MIXED) == ["en", "en", "ko", "en", "en"]
    (warning,) = caught
    assert "rows 1, 3" in str(warning.message)
    assert "Row 1 is written in the Thai script" in str(warning.message)
    with pytest.warns(UserWarning, match=r"7 of 7 rows .* 0, 1, 2, 3, 4, \.\.\."):
        LanguageRouter(["ko"])(["Где"] * 7)


def test_unknown_rows_as_an_error():
    with pytest.raises(ValueError, match="Row 1 is written in the Thai script"):
        LanguageRouter(["ko"], on_unknown="raise")(MIXED)


def test_unknown_rows_as_english_without_a_warning():
    router = LanguageRouter(["zh"], on_unknown="english")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert router(["สวัสดี", "東京はとても大きい", "你好"]) == ["en", "en", "zh"]


@pytest.mark.parametrize(
    ("languages", "row", "guess"),
    [
        (("zh",), "東京はとても大きい", "zh"),
        (("ja",), "大韓民國은 民主共和國이다", "ja"),
        (("ko",), "東京はとても大きい", "en"),
        (("ko",), "Где посылка?", "en"),
    ],
)
def test_the_best_guess_is_the_declared_language_of_most_letters(languages, row, guess):
    with pytest.warns(UserWarning, match=f"best guess, '{guess}'"):
        assert LanguageRouter(languages)([row]) == [guess]


@pytest.mark.parametrize("value", ["ignore", None, True])
def test_on_unknown_of_another_value(value):
    with pytest.raises(ValueError, match="on_unknown must be one of"):
        LanguageRouter(["ko"], on_unknown=value)


@pytest.mark.parametrize(
    ("declared", "code", "language"),
    [
        (["zh"], "zh-cn", "zh"),
        (["zh-TW"], "zh", "zh-TW"),
        (["zh"], "ZH_Hans", "zh"),
        (["ko", "de"], "eng", "en"),
        (["ko"], "en-US", "en"),
        (["ko"], "kor", "ko"),
        (["zh-CN", "zh-TW"], "zh-TW", "zh-TW"),
        (["zh-CN", "zh-TW"], "zh", None),
        (["ko"], "fr", None),
        (["ko"], "und", None),
        (["ko"], None, None),
        (["ko"], float("nan"), None),
    ],
)
def test_codes_of_detect_with_regions_and_of_other_standards(declared, code, language):
    router = LanguageRouter(declared, lambda texts: [code] * len(texts))
    assert router.identify(["text"]) == [language]


def test_unhashable_codes_of_detect_are_unknown():
    router = LanguageRouter(["ko"], lambda texts: [["ko", 0.9]] * len(texts))
    assert router.identify(["text"]) == [None]


def test_one_report_of_equal_rows_in_a_call():
    router = LanguageRouter(["ko"])

    @one_report()
    def call():
        router(MIXED)
        inner()
        return router(MIXED[1:])

    @one_report()
    def inner():
        return router(MIXED)

    for _ in range(2):  # the next call reports again
        with pytest.warns(UserWarning, match="no declared language") as caught:
            call()
        assert [str(w.message)[:6] for w in caught] == ["2 of 5", "2 of 4"]
