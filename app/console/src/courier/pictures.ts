/** Photos as they are kept on the phone and sent: small, upright, and nothing but the picture. */

export const LONGEST_PX = 1600
const QUALITY = 0.8

/** The size of a picture within LONGEST_PX; never larger than it is. */
export function fitted(width: number, height: number, longest: number = LONGEST_PX): [number, number] {
  const scale = Math.min(1, longest / Math.max(width, height, 1))
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))]
}

/** A photo made small; where the browser cannot read it, the file itself: the server judges it. */
export async function shrunk(file: File): Promise<Blob> {
  try {
    const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' })
    const [width, height] = fitted(bitmap.width, bitmap.height)
    const canvas = document.createElement('canvas')
    ;[canvas.width, canvas.height] = [width, height]
    canvas.getContext('2d')!.drawImage(bitmap, 0, 0, width, height)
    bitmap.close()
    return await blobOf(canvas, 'image/jpeg')
  } catch {
    return file
  }
}

export function blobOf(canvas: HTMLCanvasElement, type: 'image/jpeg' | 'image/png'): Promise<Blob> {
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('no picture'))), type, QUALITY),
  )
}
