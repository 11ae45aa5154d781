"""Tables of language codes and names: ISO 639 codes, scripts, names in several languages."""

from __future__ import annotations

__all__ = [
    "ALIASES",
    "COUNTRY_CODES",
    "GENERIC_CJK",
    "GENERIC_WORDS",
    "MODIFIERS",
    "NAMES",
    "SCRIPTS",
    "TWO_LETTER",
]


# ISO 639-1 code, ISO 639-2/T and 639-3 code, and the 639-2/B code where it differs.
_ISO_639 = """
aa aar, ab abk, ae ave, af afr, ak aka, am amh, an arg, ar ara, as asm, av ava, ay aym, az aze,
ba bak, be bel, bg bul, bh bih, bi bis, bm bam, bn ben, bo bod tib, br bre, bs bos, ca cat,
ce che, ch cha, co cos, cr cre, cs ces cze, cu chu, cv chv, cy cym wel, da dan, de deu ger,
dv div, dz dzo, ee ewe, el ell gre, en eng, eo epo, es spa, et est, eu eus baq, fa fas per,
ff ful, fi fin, fj fij, fo fao, fr fra fre, fy fry, ga gle, gd gla, gl glg, gn grn, gu guj,
gv glv, ha hau, he heb, hi hin, ho hmo, hr hrv, ht hat, hu hun, hy hye arm, hz her, ia ina,
id ind, ie ile, ig ibo, ii iii, ik ipk, io ido, is isl ice, it ita, iu iku, ja jpn, jv jav,
ka kat geo, kg kon, ki kik, kj kua, kk kaz, kl kal, km khm, kn kan, ko kor, kr kau, ks kas,
ku kur, kv kom, kw cor, ky kir, la lat, lb ltz, lg lug, li lim, ln lin, lo lao, lt lit, lu lub,
lv lav, mg mlg, mh mah, mi mri mao, mk mkd mac, ml mal, mn mon, mr mar, ms msa may, mt mlt,
my mya bur, na nau, nb nob, nd nde, ne nep, ng ndo, nl nld dut, nn nno, no nor, nr nbl, nv nav,
ny nya, oc oci, oj oji, om orm, or ori, os oss, pa pan, pi pli, pl pol, ps pus, pt por, qu que,
rm roh, rn run, ro ron rum, ru rus, rw kin, sa san, sc srd, sd snd, se sme, sg sag, sh hbs,
si sin, sk slk slo, sl slv, sm smo, sn sna, so som, sq sqi alb, sr srp, ss ssw, st sot, su sun,
sv swe, sw swa, ta tam, te tel, tg tgk, th tha, ti tir, tk tuk, tl tgl, tn tsn, to ton, tr tur,
ts tso, tt tat, tw twi, ty tah, ug uig, uk ukr, ur urd, uz uzb, ve ven, vi vie, vo vol, wa wln,
wo wol, xh xho, yi yid, yo yor, za zha, zh zho chi, zu zul
"""
# Individual languages (ISO 639-3) that text collections use for their macrolanguage, and codes that
# were withdrawn.
_MEMBERS = """
ar arb, az azj, et ekk, fa pes, he iw, id in, ku kmr, lv lvs, mg plt, mn khk, ms zsm, ne npi, om gaz,
or ory, ps pbt, qu quy, sq als, sw swh, tl fil, uz uzn, yi ydd ji, zh cmn, ro mo
"""


def _read(table: str) -> dict[str, str]:
    rows = (row.split() for row in table.replace("\n", " ").split(","))
    return {code: first for first, *others in rows for code in (first, *others)}


# Any code of two or three letters to the ISO 639-1 code.
TWO_LETTER: dict[str, str] = {**_read(_ISO_639), **_read(_MEMBERS)}

# Whole codes of other conventions (Windows, and grandfathered tags of BCP 47).
ALIASES: dict[str, str] = {
    "chs": "zh-Hans",
    "cht": "zh-Hant",
    "enu": "en-US",
    "zh-chs": "zh-Hans",
    "zh-cht": "zh-Hant",
    "zhs": "zh-Hans",
    "zht": "zh-Hant",
    "zh-min-nan": "nan",
    "zh-min": "nan",
    "zh-guoyu": "zh",
    "zh-hakka": "hak",
}

# Codes of ISO 15924 that occur in tags of text collections.
_SCRIPTS = """
adlm arab aran armn beng bopo cans cher cyrl deva ethi geor gran grek gujr guru hang hani hans
hant hebr hira hrkt java jpan kana khmr knda kore laoo latn lisu mlym mong mtei mymr nkoo olck
orya osma samr shaw sinh sund syrc tale talu taml telu tfng thaa thai tibt vaii yiii zyyy
"""
SCRIPTS = frozenset(_SCRIPTS.split())

# Codes of countries, or usual slips, for the language that is meant.
COUNTRY_CODES: dict[str, str] = {
    "al": "sq",
    "bd": "bn",
    "by": "be",
    "cn": "zh-CN",
    "cz": "cs",
    "dk": "da",
    "gb": "en-GB",
    "ge": "ka",
    "gr": "el",
    "hk": "zh-HK",
    "il": "he",
    "ir": "fa",
    "jp": "ja",
    "kh": "km",
    "kp": "ko",
    "kr": "ko",
    "kz": "kk",
    "la": "lo",
    "mm": "my",
    "np": "ne",
    "ph": "tl",
    "pk": "ur",
    "rs": "sr",
    "sp": "es",
    "tw": "zh-TW",
    "ua": "uk",
    "us": "en-US",
    "vn": "vi",
    "jap": "ja",
    "kro": "ko",
    "chn": "zh",
    "prc": "zh-CN",
    "twn": "zh-TW",
    "hkg": "zh-HK",
    "japan": "ja",
    "korea": "ko",
    "china": "zh",
    "taiwan": "zh-TW",
}

_NAMES = """
en: English, Eng, 영어, 영문, 英語, 英语, 英文, Anglais, Englisch, Inglés, Inglese, Inglês, Engels,
    Engelska, Engelsk, Englanti, Angielski, Angličtina, Английский, Англійська, İngilizce, tiếng Anh,
    อังกฤษ, ภาษาอังกฤษ, الإنجليزية, انگلیسی, אנגלית, अंग्रेज़ी, Inggris, Bahasa Inggris, Αγγλικά,
    Angol, Engleză
ko: Korean, Kor, 한국어, 한국말, 조선말, 조선어, 한글, 국문, 韓国語, 朝鮮語, 韩语, 韩文, 韓語, 韓文,
    朝鲜语, North Korean, South Korean, Coréen, Koreanisch, Coreano, Корейский, Hangul
ja: Japanese, Jpn, 日本語, にほんご, 일본어, 일어, 일문, 和文, 邦文, 日语, 日文, 日語, 日本语,
    Japonais, Japanisch, Japonés, Giapponese, Японский, Nihongo
zh: Chinese, Mandarin, Mandarin Chinese, Putonghua, 中文, 汉语, 漢語, 国语, 國語, 华语, 華語, 普通话,
    普通話, 中国語, 중국어, 중문, 한어, Chinois, Chinesisch, Chino, Cinese, Китайский
zh-Hans: 简体中文, 中文简体, 简体, 简中, 簡体字, 簡体中国語, 簡体字中国語, 중국어 간체, 간체,
    간체 중국어, 중국어간체, 간체자
zh-Hant: 繁體中文, 繁体中文, 中文繁體, 中文繁体, 正體中文, 繁體, 繁体, 正體, 繁中, 繁体字, 繁体字中国語,
    중국어 번체, 번체, 번체 중국어, 중국어번체, 번체자
zh-TW: 台湾華語, 臺灣華語, 台灣華語, Taiwanese Mandarin
yue: Cantonese, 粤语, 粵語, 广东话, 廣東話, 広東語, 광둥어
nan: Min Nan, Hokkien, 闽南语, 閩南語, 台語
wuu: Wu Chinese, 吴语, 吳語
lzh: Classical Chinese, Literary Chinese, 文言, 文言文
ab: Abkhaz, Abkhazian
af: Afrikaans
ak: Akan
an: Aragonese
ay: Aymara
ba: Bashkir
bho: Bhojpuri
bm: Bambara
br: Breton, Brezhoneg
ce: Chechen
ceb: Cebuano
ckb: Central Kurdish, Sorani
co: Corsican
cv: Chuvash
dv: Dhivehi, Divehi, Maldivian
dz: Dzongkha
ee: Ewe
ff: Fula, Fulah
fj: Fijian
fo: Faroese, Føroyskt
fy: Frisian, Western Frisian, Frysk
gd: Scottish Gaelic, Gàidhlig
gn: Guarani, Guaraní
haw: Hawaiian
hmn: Hmong
ht: Haitian Creole, Haitian, Kreyòl ayisyen
ilo: Ilocano, Iloko
jv: Javanese, Basa Jawa
kok: Konkani
lb: Luxembourgish, Lëtzebuergesch
lg: Luganda, Ganda
ln: Lingala
mai: Maithili
mg: Malagasy
mi: Maori, Māori
ny: Chichewa, Nyanja, Chewa
oc: Occitan
om: Oromo
os: Ossetian, Ossetic
qu: Quechua
rw: Kinyarwanda
sa: Sanskrit
sat: Santali
sc: Sardinian
sm: Samoan
sn: Shona
st: Sotho, Sesotho
su: Sundanese, Basa Sunda
ti: Tigrinya
tn: Tswana, Setswana
to: Tongan
ts: Tsonga
tw: Twi
war: Waray
wo: Wolof
am: Amharic, አማርኛ
ar: Arabic, العربية, عربي, 아랍어, アラビア語, 阿拉伯语, 阿拉伯文, Arabe, Arabisch
as: Assamese, অসমীয়া
az: Azerbaijani, Azərbaycanca
be: Belarusian, Беларуская
bg: Bulgarian, Български
bn: Bengali, Bangla, বাংলা, 벵골어
bo: Tibetan, བོད་སྐད, 藏语
bs: Bosnian, Bosanski
ca: Catalan, Català
cs: Czech, Čeština, Český, 체코어
cy: Welsh, Cymraeg
da: Danish, Dansk
de: German, Deutsch, 독일어, ドイツ語, 德语, 德文, 德語, Allemand, Alemán, Tedesco
el: Greek, Ελληνικά, 그리스어
eo: Esperanto
es: Spanish, Castilian, Español, Castellano, 스페인어, スペイン語, 西班牙语, 西班牙文, Espagnol,
    Spanisch
et: Estonian, Eesti
eu: Basque, Euskara
fa: Persian, Farsi, Dari, فارسی, 페르시아어
fi: Finnish, Suomi
fr: French, Français, 프랑스어, 불어, フランス語, 法语, 法文, 法語, Französisch, Francés, Francese
ga: Irish, Gaeilge
gl: Galician, Galego
gu: Gujarati, ગુજરાતી
ha: Hausa
he: Hebrew, עברית
hi: Hindi, हिन्दी, हिंदी, 힌디어, ヒンディー語, 印地语
hr: Croatian, Hrvatski
hu: Hungarian, Magyar
hy: Armenian, Հայերեն
id: Indonesian, Bahasa Indonesia, 인도네시아어, インドネシア語, 印尼语
ig: Igbo
is: Icelandic, Íslenska
it: Italian, Italiano, 이탈리아어, イタリア語, 意大利语, Italien, Italienisch
ka: Georgian, ქართული
kk: Kazakh, Қазақша, Қазақ тілі
km: Khmer, ភាសាខ្មែរ, 크메르어
kn: Kannada, ಕನ್ನಡ
ku: Kurdish, Kurdî
ky: Kyrgyz, Кыргызча
la: Latin
lo: Lao, ລາວ
lt: Lithuanian, Lietuvių
lv: Latvian, Latviešu
mk: Macedonian, Македонски
ml: Malayalam, മലയാളം
mn: Mongolian, Монгол, 몽골어, モンゴル語, 蒙古语
mr: Marathi, मराठी
ms: Malay, Bahasa Melayu, 말레이어
mt: Maltese, Malti
my: Burmese, Myanmar, မြန်မာ, မြန်မာဘာသာ, 미얀마어, ミャンマー語
ne: Nepali, नेपाली, 네팔어
nl: Dutch, Flemish, Vlaams, Nederlands, 네덜란드어, オランダ語
no: Norwegian, Norsk
nb: Norwegian Bokmål, Bokmål
nn: Norwegian Nynorsk, Nynorsk
or: Odia, Oriya, ଓଡ଼ିଆ
pa: Punjabi, Panjabi, ਪੰਜਾਬੀ
pl: Polish, Polski, 폴란드어
ps: Pashto, پښتو
pt: Portuguese, Português, 포르투갈어, ポルトガル語, 葡萄牙语, Portugais, Portugiesisch
pt-BR: Brazilian Portuguese, Português do Brasil
ro: Romanian, Română
ru: Russian, Русский, 러시아어, ロシア語, 俄语, 俄文, 俄語, Russe, Russisch, Ruso
sd: Sindhi, سنڌي
si: Sinhala, Sinhalese, සිංහල
sk: Slovak, Slovenčina
sl: Slovenian, Slovene, Slovenščina
so: Somali
sq: Albanian, Shqip
sr: Serbian, Srpski
sr-Cyrl: Српски
sv: Swedish, Svenska, 스웨덴어
sw: Swahili, Kiswahili
ta: Tamil, தமிழ், 타밀어
te: Telugu, తెలుగు
tg: Tajik, Тоҷикӣ
th: Thai, ไทย, ภาษาไทย, 태국어, タイ語, 泰语, 泰文
tk: Turkmen
tl: Tagalog, Filipino, 타갈로그어
tr: Turkish, Türkçe, 터키어, 튀르키예어, トルコ語, 土耳其语
tt: Tatar, Татарча
ug: Uyghur, Uighur, ئۇيغۇرچە, 维吾尔语
uk: Ukrainian, Українська, 우크라이나어
ur: Urdu, اردو
uz: Uzbek, Oʻzbek, O'zbek
vi: Vietnamese, Tiếng Việt, 베트남어, ベトナム語, 越南语, 越南文
xh: Xhosa, isiXhosa
yi: Yiddish, ייִדיש
yo: Yoruba, Yorùbá
zu: Zulu, isiZulu
"""


def _read_names(table: str) -> dict[str, str]:
    names: dict[str, str] = {}
    for line in table.strip().replace("\n    ", " ").split("\n"):
        code, _, listed = line.partition(":")
        names.update((name.strip(), code) for name in listed.split(","))
    return names


# Names of languages, in English, in the language itself and in those of many tables of pairs.
NAMES: dict[str, str] = _read_names(_NAMES)

# Words of a name that say which script or region is meant.
MODIFIERS: dict[str, str] = {
    "simplified": "Hans",
    "simp": "Hans",
    "traditional": "Hant",
    "trad": "Hant",
    "cyrillic": "Cyrl",
    "latin": "Latn",
    "latin script": "Latn",
    "简体": "Hans",
    "簡体": "Hans",
    "简体字": "Hans",
    "簡体字": "Hans",
    "간체": "Hans",
    "繁體": "Hant",
    "繁体": "Hant",
    "正體": "Hant",
    "번체": "Hant",
    "us": "US",
    "usa": "US",
    "american": "US",
    "uk": "GB",
    "gb": "GB",
    "british": "GB",
    "united states": "US",
    "united kingdom": "GB",
    "brazil": "BR",
    "brazilian": "BR",
    "brasil": "BR",
    "portugal": "PT",
    "china": "CN",
    "prc": "CN",
    "mainland": "CN",
    "taiwan": "TW",
    "台灣": "TW",
    "臺灣": "TW",
    "台湾": "TW",
    "hong kong": "HK",
    "香港": "HK",
    "singapore": "SG",
    "korea": "KR",
    "대한민국": "KR",
    "한국": "KR",
    "미국": "US",
    "영국": "GB",
    "중국": "CN",
    "대만": "TW",
    "홍콩": "HK",
    "米国": "US",
    "美国": "US",
    "美國": "US",
    "英国": "GB",
    "英國": "GB",
    "中国": "CN",
    "中國": "CN",
    "韩国": "KR",
    "日本": "JP",
    "south korea": "KR",
    "japan": "JP",
}

# Words of a column's name that do not say which language it is in.
_GENERIC_WORDS = """
clean cleaned column content data expression input lang language line norm normalized original
orig output phrase phrases raw
segment sent sentence sentences sents source src string target text texts tgt title trans
translated translation translations trg txt utterance utterances value
"""
GENERIC_WORDS = frozenset(_GENERIC_WORDS.split())
GENERIC_CJK = (
    "번역문",
    "원문",
    "번역",
    "문장",
    "텍스트",
    "원본",
    "표현",
    "대화",
    "原文",
    "译文",
    "譯文",
    "訳文",
    "翻訳",
    "翻译",
    "翻譯",
    "句子",
    "例句",
    "例文",
    "文章",
    "文本",
    "语句",
)
