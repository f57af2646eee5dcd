// A ZIP archive of texts (PKWARE's APPNOTE, 4.3), stored as they are: transcripts are small.

const VERSION = 20;
const UTF8_NAMES = 0x0800;
const FIRST_DAY = 0x0021; // 1 January 1980: the same texts are the same archive
const encoder = new TextEncoder();

const TABLE = Uint32Array.from({ length: 256 }, (_, start) => {
  let value = start;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

export function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

// Numbers as little-endian fields: pairs of [bytes, value].
function fields(...pairs) {
  const found = [];
  for (const [size, value] of pairs) {
    for (let i = 0; i < size; i += 1) found.push((value >>> (8 * i)) & 0xff);
  }
  return Uint8Array.from(found);
}

// What the local header and the directory say of a file alike.
const described = ({ name, data, crc }) => [
  [2, VERSION],
  [2, UTF8_NAMES],
  [2, 0], // stored
  [2, 0],
  [2, FIRST_DAY],
  [4, crc],
  [4, data.length],
  [4, data.length],
  [2, name.length],
  [2, 0],
];

// files: pairs of [name, text]. A Blob's parts.
export function zip(files) {
  const parts = [];
  const directory = [];
  let offset = 0;
  let size = 0;
  for (const [path, text] of files) {
    const file = { name: encoder.encode(path), data: encoder.encode(text) };
    file.crc = crc32(file.data);
    const local = fields([4, 0x04034b50], ...described(file));
    const rest = [[2, 0], [2, 0], [2, 0], [4, 0], [4, offset]];
    const entry = fields([4, 0x02014b50], [2, VERSION], ...described(file), ...rest);
    parts.push(local, file.name, file.data);
    directory.push(entry, file.name);
    offset += local.length + file.name.length + file.data.length;
    size += entry.length + file.name.length;
  }
  const counts = [[2, 0], [2, 0], [2, files.length], [2, files.length]];
  const end = fields([4, 0x06054b50], ...counts, [4, size], [4, offset], [2, 0]);
  return [...parts, ...directory, end];
}
