"""Which language Apertium should go through where no pair joins two languages.

Sentences of everyday speech in English, French, Italian and Portuguese are translated through
Spanish and through Catalan by the service's own engine, and scored by chrF2 (sacrebleu) against
the parallel sentence; ``paired`` is how often each pivot won a sentence. What is measured here is
the order in ``engines/pivots.py``; the exit status says whether that still prefers the better one
wherever they differ by more than a point.
"""

from __future__ import annotations

import sys

import sacrebleu

from benchmarks import report
from speech_translator.engines import apertium, pivots
from speech_translator.engines.values import TranslateCall

PIVOTS = ("es", "ca")
CLEAR = 1.0
"""Points of chrF below which two pivots count as equal."""

LANGUAGES = ("en", "fr", "it", "pt")
LINES = """
Hello!
Bonjour !
Ciao!
Olá!
Good morning.
Bonjour.
Buongiorno.
Bom dia.
Good evening, ladies and gentlemen.
Bonsoir, mesdames et messieurs.
Buonasera, signore e signori.
Boa noite, senhoras e senhores.
Thank you very much.
Merci beaucoup.
Grazie mille.
Muito obrigado.
How are you?
Comment vas-tu ?
Come stai?
Como você está?
My name is Maria.
Je m'appelle Maria.
Mi chiamo Maria.
Meu nome é Maria.
I am from Brazil.
Je viens du Brésil.
Vengo dal Brasile.
Eu sou do Brasil.
Where is the train station?
Où est la gare ?
Dov'è la stazione?
Onde fica a estação de trem?
The train leaves at eight o'clock.
Le train part à huit heures.
Il treno parte alle otto.
O trem sai às oito horas.
I would like a glass of water.
Je voudrais un verre d'eau.
Vorrei un bicchiere d'acqua.
Eu gostaria de um copo de água.
How much does this book cost?
Combien coûte ce livre ?
Quanto costa questo libro?
Quanto custa este livro?
The house is very big.
La maison est très grande.
La casa è molto grande.
A casa é muito grande.
My brother works in a hospital.
Mon frère travaille dans un hôpital.
Mio fratello lavora in un ospedale.
Meu irmão trabalha em um hospital.
We went to the beach yesterday.
Nous sommes allés à la plage hier.
Ieri siamo andati in spiaggia.
Fomos à praia ontem.
She has two children and a dog.
Elle a deux enfants et un chien.
Lei ha due figli e un cane.
Ela tem dois filhos e um cachorro.
It is raining today.
Il pleut aujourd'hui.
Oggi piove.
Está chovendo hoje.
I do not understand this question.
Je ne comprends pas cette question.
Non capisco questa domanda.
Não entendo esta pergunta.
Can you help me, please?
Pouvez-vous m'aider, s'il vous plaît ?
Può aiutarmi, per favore?
Você pode me ajudar, por favor?
The meeting begins tomorrow morning.
La réunion commence demain matin.
La riunione comincia domani mattina.
A reunião começa amanhã de manhã.
They have lived in this city for ten years.
Ils vivent dans cette ville depuis dix ans.
Vivono in questa città da dieci anni.
Eles moram nesta cidade há dez anos.
The government has approved the new law.
Le gouvernement a approuvé la nouvelle loi.
Il governo ha approvato la nuova legge.
O governo aprovou a nova lei.
The economy of the country grew last year.
L'économie du pays a progressé l'année dernière.
L'economia del paese è cresciuta l'anno scorso.
A economia do país cresceu no ano passado.
Scientists have discovered a new planet.
Les scientifiques ont découvert une nouvelle planète.
Gli scienziati hanno scoperto un nuovo pianeta.
Os cientistas descobriram um novo planeta.
The children are playing in the garden.
Les enfants jouent dans le jardin.
I bambini giocano in giardino.
As crianças estão brincando no jardim.
I need to buy bread and milk.
Je dois acheter du pain et du lait.
Devo comprare pane e latte.
Preciso comprar pão e leite.
This restaurant is closed on Mondays.
Ce restaurant est fermé le lundi.
Questo ristorante è chiuso il lunedì.
Este restaurante fecha às segundas-feiras.
The teacher explained the problem to the students.
Le professeur a expliqué le problème aux étudiants.
Il professore ha spiegato il problema agli studenti.
O professor explicou o problema aos alunos.
If you have time, come with us.
Si tu as le temps, viens avec nous.
Se hai tempo, vieni con noi.
Se você tiver tempo, venha conosco.
The doctor told me to rest.
Le médecin m'a dit de me reposer.
Il medico mi ha detto di riposare.
O médico me disse para descansar.
The museum is near the old church.
Le musée est près de la vieille église.
Il museo è vicino alla vecchia chiesa.
O museu fica perto da igreja antiga.
We will finish the work before Friday.
Nous finirons le travail avant vendredi.
Finiremo il lavoro prima di venerdì.
Terminaremos o trabalho antes de sexta-feira.
Water is important for life.
L'eau est importante pour la vie.
L'acqua è importante per la vita.
A água é importante para a vida.
He wrote a letter to his mother.
Il a écrit une lettre à sa mère.
Ha scritto una lettera a sua madre.
Ele escreveu uma carta para sua mãe.
The price of oil has fallen again.
Le prix du pétrole a de nouveau baissé.
Il prezzo del petrolio è sceso di nuovo.
O preço do petróleo caiu novamente.
I have never seen such a beautiful city.
Je n'ai jamais vu une si belle ville.
Non ho mai visto una città così bella.
Nunca vi uma cidade tão bonita.
The president will visit France in September.
Le président visitera la France en septembre.
Il presidente visiterà la Francia a settembre.
O presidente visitará a França em setembro.
The door is open.
La porte est ouverte.
La porta è aperta.
A porta está aberta.
I speak English and a little French.
Je parle anglais et un peu français.
Parlo inglese e un po' di francese.
Falo inglês e um pouco de francês.
The company sold more cars this year.
L'entreprise a vendu plus de voitures cette année.
L'azienda ha venduto più auto quest'anno.
A empresa vendeu mais carros este ano.
See you tomorrow!
À demain !
A domani!
Até amanhã!
""".strip().splitlines()
SENTENCES = tuple(zip(*(LINES[n::4] for n in range(4)), strict=True))
"""One sentence in every language, in the order of ``LANGUAGES``."""


def translated(engine: apertium.Apertium, source: str, pivot: str, target: str) -> list[str]:
    """All sentences from one language into another, through a third."""
    column = LANGUAGES.index(source)
    found = []
    for row in SENTENCES:
        middle = engine.translate([TranslateCall(row[column], source, pivot)])[0]
        found += engine.translate([TranslateCall(middle, pivot, target)])
    return found


def compared(engine: apertium.Apertium, source: str, target: str) -> dict[str, object]:
    """The scores of a pair through each pivot."""
    references = [row[LANGUAGES.index(target)] for row in SENTENCES]
    answers = {pivot: translated(engine, source, pivot, target) for pivot in PIVOTS}
    scores = {
        pivot: round(sacrebleu.corpus_chrf(found, [references]).score, 1)
        for pivot, found in answers.items()
    }
    sentences = {
        pivot: [
            sacrebleu.sentence_chrf(one, [reference]).score
            for one, reference in zip(found, references, strict=True)
        ]
        for pivot, found in answers.items()
    }
    first, second = (sentences[pivot] for pivot in PIVOTS)
    wins = {
        PIVOTS[0]: sum(a > b for a, b in zip(first, second, strict=True)),
        PIVOTS[1]: sum(b > a for a, b in zip(first, second, strict=True)),
    }
    preferred = next(pivot for pivot in pivots.preferred(source, target) if pivot in PIVOTS)
    return {
        "pair": f"{source}-{target}",
        "chrf2": scores,
        "paired": wins,
        "preferred": preferred,
        "holds": scores[preferred] + CLEAR >= max(scores.values()),
        "first_sentence": {pivot: found[0] for pivot, found in answers.items()},
    }


def main() -> int:
    """Measure, keep, and say whether the preferences hold."""
    engine = apertium.load({"threads": 2})
    pairs = set(engine.describe().pairs)
    rows = [
        compared(engine, source, target)
        for source in LANGUAGES
        for target in LANGUAGES
        if source != target
        and (source, target) not in pairs
        and all((source, p) in pairs and (p, target) in pairs for p in PIVOTS)
    ]
    for row in rows:
        print(row)
    report.write("apertium_pivots", {"sentences": len(SENTENCES), "pairs": rows})
    return 0 if all(row["holds"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
