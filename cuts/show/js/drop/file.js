// A picture that was dropped, as pixels.

const MOST_PIXELS = 2 ** 26;

// { height, width, isGrey, isTransparent, rgba } of a PNG or a JPEG; an error says what else it is.
export async function readPicture(file) {
  const bytes = new Uint8Array(await file.arrayBuffer()), isGrey = greyness(bytes, file.name);
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none", imageOrientation: "from-image" };
  const bitmap = await createImageBitmap(file, options).catch(() => {
    throw new Error(`${file.name}: cannot be decoded. It is cut short or damaged: copy or export it anew.`);
  });
  const { height, width } = bitmap;
  if (height * width > MOST_PIXELS)
    throw new Error(`${file.name}: ${width} × ${height} pixels, more than a page holds. Crop it, or use the program.`);
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const rgba = context.getImageData(0, 0, width, height).data;
  return { height, width, isGrey, rgba, isTransparent: rgba.some((v, i) => i % 4 === 3 && v < 255) };
}

// Whether the file says that it is grey; an error for one that is neither PNG nor JPEG, or whose depth is lost here.
function greyness(bytes, name) {
  if (bytes[0] === 0x89 && bytes[1] === 0x50 && bytes[2] === 0x4e && bytes[3] === 0x47) {
    if (bytes[24] === 16)
      throw new Error(`${name}: sixteen bits a colour, of which a page sees eight. Save eight, or use the program.`);
    return bytes[25] === 0 || bytes[25] === 4;
  }
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return componentsOfJpeg(bytes) === 1;
  throw new Error(`${name}: neither PNG nor JPEG. The program reads other formats: cuts explore ${name}`);
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
