// A picture that was dropped, as pixels.
import { readDeep } from "./deep-png.js";
import { refusal } from "./kinds.js";

const MOST_PIXELS = 2 ** 26;

// { height, width, isGrey, isTransparent, rgba } of a PNG or a JPEG, or { height, width, deep } of a grey PNG of
// sixteen bits; an error says what else it is.
export async function readPicture(file) {
  const { name } = file, bytes = new Uint8Array(await file.arrayBuffer()), kind = kindOf(bytes, name);
  const damaged = () => {
    throw new Error(`${name}: cannot be decoded. It is cut short or damaged: copy or export it anew.`);
  };
  if (kind.isDeep) {
    checkSize(name, kind);
    return readDeep(bytes).catch(damaged);
  }
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none", imageOrientation: "from-image" };
  const bitmap = await createImageBitmap(file, options).catch(damaged), { height, width } = bitmap;
  checkSize(name, bitmap);
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const rgba = context.getImageData(0, 0, width, height).data;
  return { height, width, isGrey: kind.isGrey, rgba, isTransparent: rgba.some((v, i) => i % 4 === 3 && v < 255) };
}

function checkSize(name, { height, width }) {
  if (height * width > MOST_PIXELS)
    throw new Error(`${name}: ${width} × ${height} pixels, more than a page holds. Crop it, or use the program.`);
}

// Whether the file says that it is grey, and of sixteen bits; an error for one of which colours would be lost, or that
// is neither PNG nor JPEG.
function kindOf(bytes, name) {
  if (bytes.length > 33 && bytes[0] === 0x89 && bytes[1] === 0x50 && bytes[2] === 0x4e && bytes[3] === 0x47) {
    const view = new DataView(bytes.buffer), colour = bytes[25], isDeep = bytes[24] === 16;
    if (isDeep && (colour || bytes[28]))
      throw new Error(`${name}: sixteen bits in colours, or interlaced. Save it in eight, or grey and not interlaced.`);
    return { isGrey: colour === 0 || colour === 4, isDeep, width: view.getUint32(16), height: view.getUint32(20) };
  }
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return { isGrey: componentsOfJpeg(bytes) === 1, isDeep: false };
  throw refusal(bytes, name);
}

// The number of colours in the frame header of a JPEG.
function componentsOfJpeg(bytes) {
  for (let i = 2; i + 9 < bytes.length;) {
    const marker = bytes[i + 1], isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return bytes[i + 9];
    i += 2 + bytes[i + 2] * 256 + bytes[i + 3];
  }
  return 3;
}
