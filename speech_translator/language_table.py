"""The languages as data: what ``languages.py`` reads. No logic in here.

Codes and scripts are from ISO 639, ISO 15924, ISO 3166-1 and FLORES-200; names are those of CLDR in
English. Together the rows hold ISO 639-1, FLORES-200 and Whisper's languages, those that espeak
speaks, and the larger ones of MADLAD-400 and Apertium.
"""

from __future__ import annotations

LANGUAGES = """
aa aar = Latn Afar
ab abk = Cyrl Abkhazian
ace ace = Latn,Arab Acehnese
acm acm = Arab Mesopotamian Arabic
acq acq = Arab Ta'izzi-Adeni Arabic
ady ady = Cyrl Adyghe
ae ave = Avst Avestan
aeb aeb = Arab Tunisian Arabic
af afr = Latn Afrikaans
ajp ajp = Arab South Levantine Arabic
ak aka = Latn Akan
alt alt = Cyrl Southern Altai
am amh = Ethi Amharic
an arg = Latn Aragonese
apc apc = Arab North Levantine Arabic
ar ara arb Arab,Latn Arabic
arn arn = Latn Mapuche
ars ars = Arab Najdi Arabic
ary ary = Arab Moroccan Arabic
arz arz = Arab Egyptian Arabic
as asm = Beng Assamese
ast ast = Latn Asturian
av ava = Cyrl Avaric
awa awa = Deva Awadhi
ay aym ayr Latn Aymara
az aze azj Latn,Cyrl,Arab Azerbaijani
azb azb = Arab South Azerbaijani
ba bak = Cyrl Bashkir
ban ban = Latn Balinese
bar bar = Latn Bavarian
bcl bcl = Latn Central Bikol
be bel = Cyrl,Latn Belarusian
bem bem = Latn Bemba
bg bul = Cyrl,Latn Bulgarian
bho bho = Deva Bhojpuri
bi bis = Latn Bislama
bik bik = Latn Bikol
bjn bjn = Latn,Arab Banjar
bm bam = Latn Bambara
bn ben = Beng,Latn Bengali
bo bod = Tibt Tibetan
bpy bpy = Beng Bishnupriya
br bre = Latn Breton
brx brx = Deva Bodo
bs bos = Latn,Cyrl Bosnian
bua bua = Cyrl Buriat
bug bug = Latn Buginese
ca cat = Latn Catalan
ce che = Cyrl Chechen
ceb ceb = Latn Cebuano
ch cha = Latn Chamorro
chr chr = Cher Cherokee
cjk cjk = Latn Chokwe
ckb ckb = Arab Central Kurdish
co cos = Latn Corsican
cr cre = Cans Cree
crh crh = Latn,Cyrl Crimean Tatar
crs crs = Latn Seychellois Creole
cs ces = Latn Czech
csb csb = Latn Kashubian
cu chu = Cyrl Church Slavic
cv chv = Cyrl Chuvash
cy cym = Latn Welsh
da dan = Latn Danish
dar dar = Cyrl Dargwa
de deu = Latn German
dik dik = Latn Southwestern Dinka
doi doi = Deva Dogri
dsb dsb = Latn Lower Sorbian
dv div = Thaa Divehi
dyu dyu = Latn Dyula
dz dzo = Tibt Dzongkha
ee ewe = Latn Ewe
egl egl = Latn Emilian
el ell = Grek,Latn Greek
en eng = Latn,Shaw English
eo epo = Latn Esperanto
es spa = Latn Spanish
et est = Latn Estonian
eu eus = Latn Basque
ext ext = Latn Extremaduran
fa fas pes Arab,Latn Persian
ff ful fuv Latn,Adlm Fula
fi fin = Latn Finnish
fj fij = Latn Fijian
fo fao = Latn Faroese
fon fon = Latn Fon
fr fra = Latn French
frp frp = Latn Arpitan
frr frr = Latn Northern Frisian
fur fur = Latn Friulian
fy fry = Latn Western Frisian
ga gle = Latn Irish
gag gag = Latn Gagauz
gd gla = Latn Scottish Gaelic
gl glg = Latn Galician
gn grn = Latn Guarani
gom gom = Deva,Latn Goan Konkani
grc grc = Grek Ancient Greek
gsw gsw = Latn Swiss German
gu guj = Gujr Gujarati
gur gur = Latn Frafra
gv glv = Latn Manx
ha hau = Latn,Arab Hausa
hak hak = Hant,Latn Hakka Chinese
haw haw = Latn Hawaiian
he heb = Hebr Hebrew
hi hin = Deva,Latn Hindi
hil hil = Latn Hiligaynon
hmn hmn = Latn Hmong
hne hne = Deva Chhattisgarhi
ho hmo = Latn Hiri Motu
hr hrv = Latn Croatian
hsb hsb = Latn Upper Sorbian
ht hat = Latn Haitian Creole
hu hun = Latn Hungarian
hy hye = Armn Armenian
hyw hyw = Armn Western Armenian
hz her = Latn Herero
ia ina = Latn Interlingua
iba iba = Latn Iban
id ind = Latn Indonesian
ie ile = Latn Interlingue
ig ibo = Latn Igbo
ii iii = Yiii Sichuan Yi
ik ipk = Latn Inupiaq
ilo ilo = Latn Ilocano
io ido = Latn Ido
is isl = Latn Icelandic
it ita = Latn Italian
iu iku = Cans,Latn Inuktitut
ja jpn = Jpan,Latn Japanese
jbo jbo = Latn Lojban
jv jav = Latn Javanese
ka kat = Geor Georgian
kaa kaa = Cyrl,Latn Kara-Kalpak
kab kab = Latn Kabyle
kac kac = Latn Kachin
kam kam = Latn Kamba
kbd kbd = Cyrl Kabardian
kbp kbp = Latn Kabiyè
kea kea = Latn Kabuverdianu
kg kon = Latn Kongo
ki kik = Latn Kikuyu
kj kua = Latn Kuanyama
kjh kjh = Cyrl Khakas
kk kaz = Cyrl,Arab,Latn Kazakh
kl kal = Latn Kalaallisut
km khm = Khmr Khmer
kmb kmb = Latn Kimbundu
kn kan = Knda Kannada
ko kor = Kore Korean
koi koi = Cyrl Komi-Permyak
kok kok = Deva Konkani
kr kau knc Latn,Arab Kanuri
krc krc = Cyrl Karachay-Balkar
ks kas = Arab,Deva Kashmiri
ku kur kmr Latn,Arab,Cyrl Kurdish
kum kum = Cyrl Kumyk
kv kom = Cyrl Komi
kw cor = Latn Cornish
ky kir = Cyrl,Arab,Latn Kyrgyz
la lat = Latn Latin
lad lad = Latn,Hebr Ladino
lb ltz = Latn Luxembourgish
lez lez = Cyrl Lezghian
lfn lfn = Latn Lingua Franca Nova
lg lug = Latn Luganda
li lim = Latn Limburgish
lij lij = Latn Ligurian
lld lld = Latn Ladin
lmo lmo = Latn Lombard
ln lin = Latn Lingala
lo lao = Laoo Lao
lt lit = Latn Lithuanian
ltg ltg = Latn Latgalian
lu lub = Latn Luba-Katanga
lua lua = Latn Luba-Lulua
luo luo = Latn Luo
lus lus = Latn Mizo
lv lav lvs Latn Latvian
lzh lzh = Hant Literary Chinese
mag mag = Deva Magahi
mai mai = Deva Maithili
mdf mdf = Cyrl Moksha
mg mlg plt Latn Malagasy
mh mah = Latn Marshallese
mhr mhr = Cyrl Eastern Mari
mi mri = Latn Māori
min min = Latn,Arab Minangkabau
mk mkd = Cyrl Macedonian
ml mal = Mlym Malayalam
mn mon khk Cyrl,Mong Mongolian
mni mni = Beng,Mtei Manipuri
mos mos = Latn Mossi
mr mar = Deva Marathi
mrj mrj = Cyrl Western Mari
ms msa zsm Latn,Arab Malay
mt mlt = Latn Maltese
mwl mwl = Latn Mirandese
my mya = Mymr Burmese
myv myv = Cyrl Erzya
na nau = Latn Nauruan
nah nah = Latn Nahuatl
nan nan = Hant,Latn,Hans Min Nan Chinese
nap nap = Latn Neapolitan
nci nci = Latn Classical Nahuatl
nd nde = Latn North Ndebele
nds nds = Latn Low German
ne nep npi Deva Nepali
ng ndo = Latn Ndonga
nl nld = Latn Dutch
nn nno = Latn Norwegian Nynorsk
no nor nob Latn Norwegian
nog nog = Latn Nogai
nqo nqo = Nkoo N'Ko
nr nbl = Latn South Ndebele
nso nso = Latn Northern Sotho
nus nus = Latn Nuer
nv nav = Latn Navajo
ny nya = Latn Nyanja
oc oci = Latn Occitan
oj oji = Latn Ojibwa
om orm gaz Latn Oromo
or ori ory Orya Odia
os oss = Cyrl Ossetic
pa pan = Guru,Arab Punjabi
pag pag = Latn Pangasinan
pam pam = Latn Pampanga
pap pap = Latn Papiamento
pcm pcm = Latn Nigerian Pidgin
pi pli = Latn Pali
pl pol = Latn Polish
pms pms = Latn Piedmontese
prs prs = Arab Dari
ps pus pbt Arab Pashto
pt por = Latn Portuguese
qu que quy Latn Quechua
quc quc = Latn K'iche'
rm roh = Latn Romansh
rn run = Latn Kirundi
ro ron = Latn,Cyrl Romanian
ru rus = Cyrl,Latn Russian
rue rue = Cyrl Rusyn
rup rup = Latn Aromanian
rw kin = Latn Kinyarwanda
sa san = Deva Sanskrit
sah sah = Cyrl Yakut
sat sat = Olck,Beng,Deva Santali
sc srd = Latn Sardinian
scn scn = Latn Sicilian
sd snd = Arab,Deva Sindhi
se sme = Latn Northern Sami
sg sag = Latn Sango
shn shn = Mymr Shan
si sin = Sinh Sinhala
sk slk = Latn Slovak
sl slv = Latn Slovenian
sm smo = Latn Samoan
sma sma = Latn Southern Sami
smj smj = Latn Lule Sami
smn smn = Latn Inari Sami
sms sms = Latn Skolt Sami
sn sna = Latn Shona
so som = Latn Somali
sq sqi als Latn Albanian
sr srp = Cyrl,Latn Serbian
ss ssw = Latn Swati
st sot = Latn Sesotho
su sun = Latn Sundanese
sv swe = Latn Swedish
sw swa swh Latn Swahili
szl szl = Latn Silesian
ta tam = Taml,Latn Tamil
taq taq = Latn,Tfng Tamasheq
te tel = Telu,Latn Telugu
tet tet = Latn Tetum
tg tgk = Cyrl,Arab Tajik
th tha = Thai Thai
ti tir = Ethi Tigrinya
tiv tiv = Latn Tiv
tk tuk = Latn,Cyrl Turkmen
tl tgl = Latn Tagalog
tlh tlh = Latn Klingon
tn tsn = Latn Setswana
to ton = Latn Tongan
tpi tpi = Latn Tok Pisin
tr tur = Latn Turkish
ts tso = Latn Tsonga
tt tat = Cyrl,Latn Tatar
tum tum = Latn Tumbuka
tw twi = Latn Twi
ty tah = Latn Tahitian
tyv tyv = Cyrl Tuvinian
tzm tzm = Tfng,Latn Central Atlas Tamazight
udm udm = Cyrl Udmurt
ug uig = Arab,Latn,Cyrl Uyghur
uk ukr = Cyrl,Latn Ukrainian
umb umb = Latn Umbundu
ur urd = Arab Urdu
uz uzb uzn Latn,Cyrl,Arab Uzbek
ve ven = Latn Venda
vec vec = Latn Venetian
vi vie = Latn,Hani Vietnamese
vo vol = Latn Volapük
wa wln = Latn Walloon
war war = Latn Waray
wo wol = Latn Wolof
wuu wuu = Hans,Hant Wu Chinese
xal xal = Cyrl Kalmyk
xh xho = Latn Xhosa
yi yid ydd Hebr Yiddish
yo yor = Latn Yoruba
yue yue = Hant,Hans Cantonese
za zha = Latn Zhuang
zgh zgh = Tfng Standard Moroccan Tamazight
zh zho = Hans,Hant Chinese
zu zul = Latn Zulu
zza zza = Latn Zaza
"""
"""One language a line: key, ISO 639-3, FLORES-200's code (``=`` when that is the ISO 639-3 code),
scripts (the default first), English name."""

ALIASES = {
    # ISO 639-2/B
    "tib": "bo",
    "cze": "cs",
    "wel": "cy",
    "ger": "de",
    "gre": "el",
    "baq": "eu",
    "per": "fa",
    "fre": "fr",
    "arm": "hy",
    "ice": "is",
    "geo": "ka",
    "mao": "mi",
    "mac": "mk",
    "may": "ms",
    "bur": "my",
    "dut": "nl",
    "rum": "ro",
    "slo": "sk",
    "alb": "sq",
    "chi": "zh",
    # Retired codes, and those that others use for the same language.
    "iw": "he",
    "ji": "yi",
    "in": "id",
    "jw": "jv",
    "mo": "ro",
    "mol": "ro",
    "sh": "sr-Latn",
    "hbs": "sr-Latn",
    "scc": "sr",
    "scr": "hr",
    "nb": "no",
    "fil": "tl",
    "cmn": "zh",
    "pes": "fa",
    "ekk": "et",
    "gug": "gn",
}
"""Other codes for a language or for a language in a script."""

NAMES = {
    "bangla": "bn",
    "brazilian": "pt",
    "castilian": "es",
    "deutsch": "de",
    "espanol": "es",
    "farsi": "fa",
    "filipino": "tl",
    "flemish": "nl",
    "francais": "fr",
    "gaelic": "gd",
    "haitian": "ht",
    "italiano": "it",
    "mandarin": "zh",
    "moldavian": "ro",
    "myanmar": "my",
    "nederlands": "nl",
    "oriya": "or",
    "ossetian": "os",
    "pashtu": "ps",
    "portugues": "pt",
    "simplified chinese": "zh",
    "traditional chinese": "zh-Hant",
    "uighur": "ug",
    "valencian": "ca",
}
"""Further names in lower case, to suggest a code from; names are never accepted as codes."""

REGIONS = frozenset(
    """
    AC AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ
    BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO
    DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU
    GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW
    KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU
    MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW
    PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF
    TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT
    ZA ZM ZW
    """.split()  # noqa: SIM905 - a list of 251 strings reads worse
)
"""ISO 3166-1 alpha-2, with AC and XK."""

REGION_SCRIPTS = {
    "az-IR": "Arab",
    "kk-CN": "Arab",
    "ku-IQ": "Arab",
    "ku-IR": "Arab",
    "ky-CN": "Arab",
    "mn-CN": "Mong",
    "pa-PK": "Arab",
    "sd-IN": "Deva",
    "sr-ME": "Latn",
    "uz-AF": "Arab",
    "yue-CN": "Hans",
    "zh-HK": "Hant",
    "zh-MO": "Hant",
    "zh-TW": "Hant",
}
"""Where a region writes a language in another script than its default (CLDR's likely subtags)."""
