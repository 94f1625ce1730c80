//! Pictures: decode, shrink, encode. Knows nothing of HTTP but the status of a [`Problem`].

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, RgbImage, RgbaImage};
use jpeg_decoder::PixelFormat;
use std::fmt::Display;
use std::io::Cursor;

/// 20 megapixels, counted generously: cameras sold as such have up to 20.2 million pixels.
const MAX_PIXELS: u64 = 20 << 20;
/// Good enough that nobody sees it at this size, at a third of the bytes of the best.
const JPEG_QUALITY: u8 = 82;

/// Why there is no thumbnail, for the client.
pub struct Problem {
    pub status: u16,
    pub message: String,
}

impl Problem {
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    fn broken(reason: impl Display) -> Self {
        Self::new(422, format!("the picture cannot be read: {reason}"))
    }
}

/// A picture made small.
pub struct Thumbnail {
    pub media_type: &'static str,
    pub bytes: Vec<u8>,
    /// Width and height of the picture it was made from.
    pub source: (u32, u32),
}

/// Pixels in memory: 3 bytes each, or 4 with transparency.
struct Pixels {
    width: u32,
    height: u32,
    kind: PixelType,
    bytes: Vec<u8>,
}

/// A decoded picture, perhaps already smaller than it was.
struct Decoded {
    pixels: Pixels,
    orientation: Orientation,
    source: (u32, u32),
}

/// Makes a picture at most `width` wide, as it is meant to be looked at. Never enlarges.
pub fn shrink(file: &[u8], width: u32) -> Result<Thumbnail, Problem> {
    let decoded = match file {
        [0xff, 0xd8, 0xff, ..] => decode_jpeg(file, width)?,
        [0x89, b'P', b'N', b'G', ..] => decode_png(file)?,
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => decode_webp(file)?,
        _ => return Err(Problem::new(415, "send a JPEG, PNG or WebP picture")),
    };
    let small = resize(decoded.pixels, decoded.source, width, decoded.orientation)?;
    let mut small = into_image(small);
    small.apply_orientation(decoded.orientation);
    let (media_type, bytes) = encode(small)?;
    Ok(Thumbnail { media_type, bytes, source: decoded.source })
}

/// Decodes at the smallest size that is not smaller than wanted: a photograph of 20 megapixels is
/// computed as one of 0.3.
fn decode_jpeg(file: &[u8], width: u32) -> Result<Decoded, Problem> {
    let mut decoder = jpeg_decoder::Decoder::new(file);
    decoder.read_info().map_err(Problem::broken)?;
    let full = decoder.info().ok_or_else(|| Problem::broken("it has no frame"))?;
    let source = (u32::from(full.width), u32::from(full.height));
    check_size(source)?;

    let orientation = decoder.exif_data().and_then(Orientation::from_exif_chunk);
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    let (to_width, to_height) = target(source, width, orientation);
    let wanted = |side: u32| u16::try_from(side).unwrap_or(u16::MAX);
    decoder.scale(wanted(to_width), wanted(to_height)).map_err(Problem::broken)?;

    let raw = decoder.decode().map_err(Problem::broken)?;
    let info = decoder.info().ok_or_else(|| Problem::broken("it has no frame"))?;
    let bytes = match info.pixel_format {
        PixelFormat::RGB24 => raw,
        PixelFormat::L8 => raw.iter().flat_map(|&grey| [grey; 3]).collect(),
        PixelFormat::L16 => raw.chunks_exact(2).flat_map(|grey| [grey[1]; 3]).collect(),
        PixelFormat::CMYK32 => raw.chunks_exact(4).flat_map(cmyk_to_rgb).collect(),
    };
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    let pixels = Pixels { width, height, kind: PixelType::U8x3, bytes };
    Ok(Decoded { pixels, orientation, source })
}

fn cmyk_to_rgb(ink: &[u8]) -> [u8; 3] {
    let light = |colour: u8| {
        let product = u32::from(255 - colour) * u32::from(255 - ink[3]);
        (product / 255) as u8
    };
    [light(ink[0]), light(ink[1]), light(ink[2])]
}

fn decode_png(file: &[u8]) -> Result<Decoded, Problem> {
    let mut decoder = png::Decoder::new(Cursor::new(file));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(Problem::broken)?;
    let source = (reader.info().width, reader.info().height);
    check_size(source)?;

    let size = reader.output_buffer_size().ok_or_else(|| Problem::broken("it is too large"))?;
    let mut raw = vec![0; size];
    let frame = reader.next_frame(&mut raw).map_err(Problem::broken)?;
    raw.truncate(frame.buffer_size());
    let (kind, bytes) = match frame.color_type {
        png::ColorType::Rgb => (PixelType::U8x3, raw),
        png::ColorType::Rgba => (PixelType::U8x4, raw),
        png::ColorType::Grayscale => {
            (PixelType::U8x3, raw.iter().flat_map(|&grey| [grey; 3]).collect())
        }
        png::ColorType::GrayscaleAlpha => {
            let spread = |pair: &[u8]| [pair[0], pair[0], pair[0], pair[1]];
            (PixelType::U8x4, raw.chunks_exact(2).flat_map(spread).collect())
        }
        png::ColorType::Indexed => return Err(Problem::broken("its palette is missing")),
    };
    let pixels = Pixels { width: frame.width, height: frame.height, kind, bytes };
    Ok(Decoded { pixels, orientation: Orientation::NoTransforms, source })
}

fn decode_webp(file: &[u8]) -> Result<Decoded, Problem> {
    let mut decoder = WebPDecoder::new(Cursor::new(file)).map_err(Problem::broken)?;
    let source = decoder.dimensions();
    check_size(source)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let alpha = decoder.color_type().has_alpha();
    let mut bytes = vec![0; decoder.total_bytes() as usize];
    decoder.read_image(&mut bytes).map_err(Problem::broken)?;
    let kind = if alpha { PixelType::U8x4 } else { PixelType::U8x3 };
    let pixels = Pixels { width: source.0, height: source.1, kind, bytes };
    Ok(Decoded { pixels, orientation, source })
}

fn check_size((width, height): (u32, u32)) -> Result<(), Problem> {
    if width == 0 || height == 0 {
        return Err(Problem::broken("it has no pixels"));
    }
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        let message = format!("a picture may have up to 20 megapixels; this has {width}x{height}");
        return Err(Problem::new(413, message));
    }
    Ok(())
}

/// The thumbnail's size before it is turned upright.
fn target((width, height): (u32, u32), wanted: u32, orientation: Orientation) -> (u32, u32) {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    let lying = matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH);
    let shown_width = if lying { height } else { width };
    let share = f64::from(wanted.min(shown_width)) / f64::from(shown_width);
    let scaled = |side: u32| ((f64::from(side) * share).round() as u32).max(1);
    (scaled(width), scaled(height))
}

fn resize(
    mut pixels: Pixels,
    source: (u32, u32),
    wanted: u32,
    orientation: Orientation,
) -> Result<Pixels, Problem> {
    let (width, height) = target(source, wanted, orientation);
    if (width, height) == (pixels.width, pixels.height) {
        return Ok(pixels);
    }
    if pixels.kind == PixelType::U8x4 {
        premultiply(&mut pixels.bytes);
    }
    let from = ImageRef::new(pixels.width, pixels.height, &pixels.bytes, pixels.kind);
    let from = from.map_err(Problem::broken)?;
    let mut to = Image::new(width, height, pixels.kind);
    let filter = ResizeAlg::Convolution(FilterType::CatmullRom);
    let options = ResizeOptions::new().resize_alg(filter).use_alpha(false);
    Resizer::new().resize(&from, &mut to, &options).map_err(Problem::broken)?;
    let mut small = Pixels { width, height, kind: pixels.kind, bytes: to.into_vec() };
    if small.kind == PixelType::U8x4 {
        divide(&mut small.bytes);
    }
    Ok(small)
}

/// Weighs colours by their opacity, so that invisible ones do not bleed into the visible. The
/// resizer could do it, but its vector code for the way back is miscompiled by the compilers of
/// this year.
fn premultiply(bytes: &mut [u8]) {
    for pixel in bytes.chunks_exact_mut(4) {
        let alpha = u16::from(pixel[3]);
        for colour in &mut pixel[..3] {
            *colour = ((u16::from(*colour) * alpha + 127) / 255) as u8;
        }
    }
}

fn divide(bytes: &mut [u8]) {
    for pixel in bytes.chunks_exact_mut(4) {
        let alpha = u16::from(pixel[3]).max(1);
        for colour in &mut pixel[..3] {
            *colour = ((u16::from(*colour) * 255 + alpha / 2) / alpha).min(255) as u8;
        }
    }
}

fn into_image(pixels: Pixels) -> DynamicImage {
    let Pixels { width, height, kind, bytes } = pixels;
    const FITS: &str = "the buffer was made for these sides";
    if kind == PixelType::U8x4 {
        DynamicImage::ImageRgba8(RgbaImage::from_raw(width, height, bytes).expect(FITS))
    } else {
        DynamicImage::ImageRgb8(RgbImage::from_raw(width, height, bytes).expect(FITS))
    }
}

/// PNG when something can be seen through, else JPEG.
fn encode(small: DynamicImage) -> Result<(&'static str, Vec<u8>), Problem> {
    let failed = |error| Problem::new(500, format!("the thumbnail cannot be written: {error}"));
    let mut bytes = Vec::new();
    if let DynamicImage::ImageRgba8(see_through) = &small
        && see_through.pixels().any(|pixel| pixel.0[3] != 255)
    {
        let (width, height) = see_through.dimensions();
        PngEncoder::new(&mut bytes)
            .write_image(see_through, width, height, ExtendedColorType::Rgba8)
            .map_err(failed)?;
        return Ok(("image/png", bytes));
    }
    JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY)
        .encode_image(&small.into_rgb8())
        .map_err(failed)?;
    Ok(("image/jpeg", bytes))
}
