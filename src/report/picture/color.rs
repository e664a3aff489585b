//! Colours that all readers can tell apart (Okabe & Ito 2008), and greys.

/// Red, green, blue and opacity, each up to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color {
    /// Red.
    pub red: u8,
    /// Green.
    pub green: u8,
    /// Blue.
    pub blue: u8,
    /// 255 hides what is below.
    pub opacity: u8,
}

impl Color {
    /// An opaque colour.
    pub const fn new(red: u8, green: u8, blue: u8) -> Color {
        Color { red, green, blue, opacity: 255 }
    }

    /// The same, with what is below shining through.
    pub const fn with_opacity(self, opacity: u8) -> Color {
        Color { opacity, ..self }
    }
}

/// White.
pub const WHITE: Color = Color::new(255, 255, 255);
/// Text.
pub const BLACK: Color = Color::new(32, 33, 36);
/// Axes and what is said beside.
pub const GREY: Color = Color::new(95, 99, 104);
/// Lines of a grid.
pub const PALE: Color = Color::new(226, 228, 231);
/// Okabe–Ito blue.
pub const BLUE: Color = Color::new(0, 114, 178);
/// Okabe–Ito vermillion.
pub const VERMILLION: Color = Color::new(213, 94, 0);
/// Okabe–Ito bluish green.
pub const GREEN: Color = Color::new(0, 158, 115);
/// Okabe–Ito sky blue.
pub const SKY: Color = Color::new(86, 180, 233);
/// Okabe–Ito orange.
pub const ORANGE: Color = Color::new(230, 159, 0);
/// Okabe–Ito reddish purple.
pub const PURPLE: Color = Color::new(204, 121, 167);
/// Okabe–Ito yellow.
pub const YELLOW: Color = Color::new(240, 228, 66);

/// Colours of several series, the most distinct first; none is yellow, which is faint on white.
pub const SERIES: [Color; 6] = [BLUE, VERMILLION, GREEN, PURPLE, SKY, ORANGE];
