//! The simplest encoder of JPEG files (ITU-T T.81, baseline): blocks of 8 by 8 pixels, each of one
//! colour.

/// Every coefficient counts in steps of 8, so that a block's first one is its brightness less 128.
const QUANTISER: u8 = 8;

/// A file whose blocks have the colour of their upper left pixel, given as red, green, blue.
pub(crate) fn flat_blocks(
    width: u16,
    height: u16,
    colour: impl Fn(u16, u16) -> [u8; 3],
) -> Vec<u8> {
    let mut file = vec![0xff, 0xd8];
    segment(&mut file, 0xdb, &[&[0], [QUANTISER; 64].as_slice()].concat());
    let (high, wide) = (height.to_be_bytes(), width.to_be_bytes());
    let components = [3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0];
    segment(&mut file, 0xc0, &[&[8], &high[..], &wide[..], &components[..]].concat());
    // For first coefficients: nine sizes, each with a code of 4 bits that is the size itself.
    let lengths = |bits: usize, count: u8| {
        let mut lengths = [0; 16];
        lengths[bits - 1] = count;
        lengths
    };
    segment(&mut file, 0xc4, &[&[0x00], &lengths(4, 9)[..], &[0, 1, 2, 3, 4, 5, 6, 7, 8]].concat());
    // For all others: only "no more", with a code of one bit.
    segment(&mut file, 0xc4, &[&[0x10], &lengths(1, 1)[..], &[0]].concat());
    segment(&mut file, 0xda, &[3, 1, 0, 2, 0, 3, 0, 0, 63, 0]);

    let mut bits = Bits { file, pending: 0, count: 0 };
    let mut before = [0_i32; 3];
    for y in (0..height).step_by(8) {
        for x in (0..width).step_by(8) {
            let now = brightness_and_colour(colour(x, y));
            for (now, before) in now.into_iter().zip(&mut before) {
                bits.difference(now - *before);
                bits.put(0, 1);
                *before = now;
            }
        }
    }
    bits.finish()
}

fn segment(file: &mut Vec<u8>, marker: u8, content: &[u8]) {
    let length = u16::try_from(content.len() + 2).expect("the segments here are short");
    file.extend([0xff, marker]);
    file.extend(length.to_be_bytes());
    file.extend(content);
}

/// The colour as JFIF wants it, each part less 128.
fn brightness_and_colour([red, green, blue]: [u8; 3]) -> [i32; 3] {
    let [red, green, blue] = [red, green, blue].map(f64::from);
    let parts = [
        0.299 * red + 0.587 * green + 0.114 * blue - 128.0,
        -0.168_736 * red - 0.331_264 * green + 0.5 * blue,
        0.5 * red - 0.418_688 * green - 0.081_312 * blue,
    ];
    parts.map(|part| part.round().clamp(-128.0, 127.0) as i32)
}

struct Bits {
    file: Vec<u8>,
    pending: u32,
    count: u32,
}

impl Bits {
    fn put(&mut self, value: u32, bits: u32) {
        self.pending = self.pending << bits | value;
        self.count += bits;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.pending >> self.count) as u8;
            self.file.push(byte);
            if byte == 0xff {
                // Not a marker.
                self.file.push(0);
            }
            self.pending &= (1 << self.count) - 1;
        }
    }

    /// The size of a number and then the number, negative ones one less so that they begin with a
    /// 0.
    fn difference(&mut self, difference: i32) {
        let size = 32 - difference.unsigned_abs().leading_zeros();
        self.put(size, 4);
        let shown = if difference < 0 { difference + (1 << size) - 1 } else { difference };
        self.put(shown as u32, size);
    }

    fn finish(mut self) -> Vec<u8> {
        self.put(0x7f, 7);
        self.file.extend([0xff, 0xd9]);
        self.file
    }
}

#[test]
fn what_is_encoded_can_be_decoded() {
    let file = flat_blocks(20, 10, |x, _| if x < 8 { [220, 30, 30] } else { [30, 30, 220] });
    let mut decoder = jpeg_decoder::Decoder::new(file.as_slice());
    let pixels = decoder.decode().expect("it is a JPEG");
    assert_eq!(pixels.len(), 20 * 10 * 3);
    for (pixel, colour) in [(0, [220, 30, 30]), (19, [30, 30, 220])] {
        let near = pixels[pixel * 3..].iter().zip(colour).all(|(a, b)| a.abs_diff(b) < 4);
        assert!(near, "{:?} is not {colour:?}", &pixels[pixel * 3..pixel * 3 + 3]);
    }
}
