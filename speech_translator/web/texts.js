// What the page says, in each of its languages, and how it is put into the document: an element
// names its text by data-text, its accessible name by data-label, its hint by data-placeholder.

const EN = {
  title: "Speech translator",
  pageLanguage: "Language of this page",
  tabs: "Kind of translation",
  live: "Live",
  text: "Text",
  files: "Files",
  spoken: "Spoken",
  captionsIn: "Translation",
  sound: "Sound",
  microphone: "Microphone",
  shared: "Tab or system sound",
  speak: "Speak the translation",
  bargeIn: "Stop it when I speak",
  share: "Let others read along by a link",
  link: "Link for readers",
  copyLink: "Copy link",
  unshare: "Stop sharing",
  linkNote: "Whoever has this link reads along, without a key, until the session ends.",
  linkHere: "This page was opened as localhost: the link works on this machine alone.",
  linkAgain: "A new session began, and the link is a new one.",
  readIn: "Captions in",
  asSpoken: "As spoken: {language}",
  readHint: "Captions appear here as soon as something is said.",
  following: "live",
  full: "All places are taken. Trying again …",
  tryAgain: "Try again",
  "over-end": "The speaker has ended the session.",
  "over-unshared": "The speaker no longer shares this session.",
  "over-speaker_gone": "The speaker's connection broke, and did not come back.",
  "over-notShared": "This link opens nothing: the session has ended, or is no longer shared.",
  "over-lost": "The connection could not be made again.",
  "over-failed": "That did not work.",
  insecure:
    "A microphone needs HTTPS, or this page opened as localhost on the machine of the service.",
  start: "Start",
  stop: "Stop",
  level: "Sound level",
  captions: "Captions",
  liveHint: "Press Start and speak. Captions appear here, with their translation beside them.",
  present: "Large text",
  exportOf: "Save",
  both: "Both languages",
  original: "Original",
  translation: "Translation",
  clear: "Clear",
  from: "From",
  to: "To",
  detect: "Detect language",
  none: "No translation",
  textInput: "Text to translate",
  textPlaceholder: "Type or paste text",
  swap: "Swap languages",
  copy: "Copy",
  copied: "Copied",
  detected: "Detected: {language}",
  characters: "{count} characters",
  by: "by {route}",
  drop: "Drop audio or video here",
  choose: "Choose a file",
  progress: "Progress",
  uploading: "uploading {percent} %",
  working: "listening and translating …",
  cancel: "Cancel",
  recording: "Recording",
  transcript: "Transcript",
  summary: "{language}, {duration}",
  nothingHeard: "No speech was found in it.",
  playFrom: "Play from {time}",
  access: "Access and usage",
  key: "API key",
  useKey: "Use",
  forgetKey: "Forget",
  keyNote: "The key stays in this tab until it is closed, and is traded for tokens of ten minutes.",
  keyNeeded: "This service needs an API key.",
  keyUsed: "A key is in use.",
  keyNone: "No key is needed here.",
  usageLeft: "{name}: {remaining} of {limit} left",
  unlimited: "Nothing is limited.",
  "requests-minute": "Requests a minute",
  "requests-day": "Requests a day",
  "characters-minute": "Characters a minute",
  "characters-month": "Characters a month",
  "audio-month": "Minutes of sound a month",
  more: "More",
  documentation: "API documentation",
  languages: "Languages",
  voices: "Voices",
  models: "Models and licences",
  health: "Health",
  metrics: "Metrics",
  smaller: "Smaller",
  larger: "Larger",
  close: "Close",
  healthy: "Service: well",
  degraded: "Service: in part",
  unhealthy: "Service: not well",
  starting: "Service: starting …",
  unreachable: "The service cannot be reached.",
  connecting: "connecting …",
  ready: "listening",
  reconnecting: "reconnecting …",
  finishing: "finishing …",
  ended: "ended",
  latency: "{seconds} s behind",
  denied: "The sound was not allowed. Allow it in the browser, and start again.",
  noDevice: "No microphone was found.",
  deviceBusy: "Another program holds the microphone.",
  noSound: "What was chosen has no sound. Choose a tab, and tick its sound.",
  refused: "The service takes no further session now: all places or a limit are used up.",
  falling_behind: "The service is behind; captions come later.",
  speech_skipped: "A spoken translation was left out to catch up.",
  draining: "The service is stopping.",
  idle_timeout: "The session ended, because nothing was heard for long.",
  session_too_long: "The session reached its longest time. Start again to go on.",
  superseded: "The session goes on elsewhere.",
  lost: "The connection could not be made again.",
  unauthenticated: "The key is not valid, or no longer.",
  forbidden: "The key does not open this.",
  limit_exceeded: "A limit is used up. Try again later.",
  payload_too_large: "The file is too large.",
  unsupported_pair: "There is no way between these languages here.",
  language_not_detected: "The language cannot be told yet.",
  overloaded: "The service is busy. Try again in a moment.",
  unsupported_audio: "This is no audio or video that can be read.",
  no_audio_track: "There is no sound in this file.",
  damaged_audio: "The file is damaged.",
  failed: "That did not work.",
};

const PT = {
  title: "Tradutor de fala",
  pageLanguage: "Idioma desta página",
  tabs: "Tipo de tradução",
  live: "Ao vivo",
  text: "Texto",
  files: "Arquivos",
  spoken: "Falado",
  captionsIn: "Tradução",
  sound: "Som",
  microphone: "Microfone",
  shared: "Som de aba ou sistema",
  speak: "Falar a tradução",
  bargeIn: "Interromper quando eu falar",
  share: "Deixar outros lerem por um link",
  link: "Link para leitores",
  copyLink: "Copiar link",
  unshare: "Parar de compartilhar",
  linkNote: "Quem tem este link lê junto, sem chave, até a sessão terminar.",
  linkHere: "Esta página foi aberta como localhost: o link só funciona nesta máquina.",
  linkAgain: "Uma nova sessão começou, e o link é outro.",
  readIn: "Legendas em",
  asSpoken: "Como falado: {language}",
  readHint: "As legendas aparecem aqui assim que algo for dito.",
  following: "ao vivo",
  full: "Todos os lugares estão ocupados. Tentando de novo …",
  tryAgain: "Tentar de novo",
  "over-end": "Quem fala encerrou a sessão.",
  "over-unshared": "Quem fala não compartilha mais esta sessão.",
  "over-speaker_gone": "A conexão de quem fala caiu e não voltou.",
  "over-notShared": "Este link não abre nada: a sessão terminou, ou não é mais compartilhada.",
  "over-lost": "A conexão não pôde ser refeita.",
  "over-failed": "Não funcionou.",
  insecure:
    "O microfone exige HTTPS, ou esta página aberta como localhost na máquina do serviço.",
  start: "Iniciar",
  stop: "Parar",
  level: "Nível do som",
  captions: "Legendas",
  liveHint: "Pressione Iniciar e fale. As legendas aparecem aqui, com a tradução ao lado.",
  present: "Texto grande",
  exportOf: "Salvar",
  both: "Os dois idiomas",
  original: "Original",
  translation: "Tradução",
  clear: "Limpar",
  from: "De",
  to: "Para",
  detect: "Detectar idioma",
  none: "Sem tradução",
  textInput: "Texto a traduzir",
  textPlaceholder: "Digite ou cole um texto",
  swap: "Trocar idiomas",
  copy: "Copiar",
  copied: "Copiado",
  detected: "Detectado: {language}",
  characters: "{count} caracteres",
  by: "por {route}",
  drop: "Solte áudio ou vídeo aqui",
  choose: "Escolher arquivo",
  progress: "Progresso",
  uploading: "enviando {percent} %",
  working: "ouvindo e traduzindo …",
  cancel: "Cancelar",
  recording: "Gravação",
  transcript: "Transcrição",
  summary: "{language}, {duration}",
  nothingHeard: "Nenhuma fala foi encontrada.",
  playFrom: "Tocar a partir de {time}",
  access: "Acesso e uso",
  key: "Chave de API",
  useKey: "Usar",
  forgetKey: "Esquecer",
  keyNote: "A chave fica nesta aba até ela ser fechada, e é trocada por tokens de dez minutos.",
  keyNeeded: "Este serviço exige uma chave de API.",
  keyUsed: "Uma chave está em uso.",
  keyNone: "Aqui não é preciso chave.",
  usageLeft: "{name}: restam {remaining} de {limit}",
  unlimited: "Não há limites.",
  "requests-minute": "Pedidos por minuto",
  "requests-day": "Pedidos por dia",
  "characters-minute": "Caracteres por minuto",
  "characters-month": "Caracteres por mês",
  "audio-month": "Minutos de som por mês",
  more: "Mais",
  documentation: "Documentação da API",
  languages: "Idiomas",
  voices: "Vozes",
  models: "Modelos e licenças",
  health: "Saúde",
  metrics: "Métricas",
  smaller: "Menor",
  larger: "Maior",
  close: "Fechar",
  healthy: "Serviço: bem",
  degraded: "Serviço: em parte",
  unhealthy: "Serviço: com problemas",
  starting: "Serviço: iniciando …",
  unreachable: "O serviço não responde.",
  connecting: "conectando …",
  ready: "ouvindo",
  reconnecting: "reconectando …",
  finishing: "terminando …",
  ended: "encerrado",
  latency: "{seconds} s de atraso",
  denied: "O som não foi permitido. Permita-o no navegador e inicie de novo.",
  noDevice: "Nenhum microfone foi encontrado.",
  deviceBusy: "Outro programa está usando o microfone.",
  noSound: "O que foi escolhido não tem som. Escolha uma aba e marque o som dela.",
  refused: "O serviço não aceita outra sessão agora: os lugares ou um limite se esgotaram.",
  falling_behind: "O serviço está atrasado; as legendas demoram mais.",
  speech_skipped: "Uma tradução falada foi omitida para recuperar o atraso.",
  draining: "O serviço está parando.",
  idle_timeout: "A sessão terminou, porque nada foi ouvido por muito tempo.",
  session_too_long: "A sessão chegou ao tempo máximo. Inicie de novo para continuar.",
  superseded: "A sessão continua em outro lugar.",
  lost: "A conexão não pôde ser refeita.",
  unauthenticated: "A chave não é válida, ou deixou de ser.",
  forbidden: "A chave não dá acesso a isto.",
  limit_exceeded: "Um limite se esgotou. Tente mais tarde.",
  payload_too_large: "O arquivo é grande demais.",
  unsupported_pair: "Não há caminho entre estes idiomas aqui.",
  language_not_detected: "Ainda não é possível reconhecer o idioma.",
  overloaded: "O serviço está ocupado. Tente daqui a pouco.",
  unsupported_audio: "Isto não é áudio ou vídeo que se possa ler.",
  no_audio_track: "Não há som neste arquivo.",
  damaged_audio: "O arquivo está danificado.",
  failed: "Não funcionou.",
};

const TEXTS = { en: EN, pt: PT };
const CHOICE = "speech-translator.page-language";
const changed = new EventTarget();

// What the operator calls this service.
const ownName = document.querySelector("meta[name=application-name]").content;

let current = initial();

function initial() {
  const wanted = [sessionStorage.getItem(CHOICE), ...navigator.languages];
  return wanted.map((tag) => tag?.slice(0, 2)).find((tag) => tag in TEXTS) ?? "en";
}

export const pageLanguage = () => current;

// The text of a key, with what stands in braces filled in.
export function t(key, values = {}) {
  if (key === "title" && ownName) return ownName;
  return TEXTS[current][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export const has = (key) => Object.hasOwn(EN, key ?? "");

// What went wrong: in the page's language where it knows the code, otherwise as the service said it.
export function problemText(problem) {
  return has(problem.code) ? t(problem.code) : problem.message || t("failed");
}

export function whenLanguageChanges(listener) {
  changed.addEventListener("change", listener);
}

export function setPageLanguage(language) {
  current = language;
  sessionStorage.setItem(CHOICE, language);
  translateDocument();
  changed.dispatchEvent(new Event("change"));
}

export function translateDocument() {
  document.documentElement.lang = current;
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = t(element.dataset.text);
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", t(element.dataset.label));
  }
  for (const element of document.querySelectorAll("[data-placeholder]")) {
    element.placeholder = t(element.dataset.placeholder);
  }
}

const displayNames = {};

// A language's name in the page's language; the service's own name for what the browser knows not.
export function languageName(code, fallback = code) {
  displayNames[current] ??= new Intl.DisplayNames(current, { type: "language", fallback: "none" });
  try {
    const name = displayNames[current].of(code) ?? fallback;
    return name[0].toLocaleUpperCase(current) + name.slice(1);
  } catch {
    return fallback;
  }
}

export const number = (value) => new Intl.NumberFormat(current).format(value);
