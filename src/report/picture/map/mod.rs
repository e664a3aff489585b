//! Pictures of maps: what [`crate::map`] computes, with axes, a scale of colours and names at what is found.
//!
//! ```
//! use catchment::map::{Plane, Tone, Watch, field};
//! use catchment::report::picture::map::{Place, Words, contour};
//! use catchment::{Engine, Precision, Surface};
//! let surface = Surface::named("himmelblau", None)?;
//! let plane = Plane::of_two(&surface)?;
//! let values = field(&Engine::cpu(), &surface, &plane, [64, 64], Precision::F32, &mut Watch::none())?;
//! let tone = Tone::of(values.values.iter().copied());
//! let minima: Vec<Place> = surface.minima().iter().map(|m| Place::new([m.x[0], m.x[1]], "0")).collect();
//! let picture = contour(&Words::new("himmelblau", "filled contours"), &plane, &values, &tone, &minima);
//! assert!(picture.svg().contains("data:image/png;base64,"));
//! # Ok::<(), catchment::Error>(())
//! ```

mod basins;
mod contour;
mod curve;
mod rates;
mod relief;
mod sheet;

pub use basins::basins;
pub use contour::{contour, trajectories};
pub use curve::curve;
pub use rates::rates;
pub use relief::relief;

/// What stands above a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// The first line.
    pub title: String,
    /// The second.
    pub subtitle: String,
}

impl Words {
    /// Of two lines.
    pub fn new(title: &str, subtitle: &str) -> Words {
        Words { title: title.to_owned(), subtitle: subtitle.to_owned() }
    }
}

/// A place on a map with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Along the axes, in their units.
    pub at: [f64; 2],
    /// What is written beside it.
    pub name: String,
}

impl Place {
    /// Of its coordinates along the axes.
    pub fn new(at: [f64; 2], name: &str) -> Place {
        Place { at, name: name.to_owned() }
    }
}

/// A number as axes have it, with a long minus; what rounding left of 0 is 0.
fn short(value: f64) -> String {
    let value = if value.abs() < 1e-20 { 0.0 } else { value };
    crate::report::number(value, 4).replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::{Against, Descents, Plane, Span, Tone, Watch};
    use crate::report::picture::colormap::{self, KINDS};
    use crate::report::picture::png::pixels;
    use crate::report::picture::{Color, Picture};
    use crate::{Engine, Precision, Surface, map};

    /// The pixels of a picture's square, by a place in it from its lower left corner.
    struct Square {
        drawn: tiny_skia::Pixmap,
        corner: [f32; 2],
        side: f32,
    }

    impl Square {
        fn of(picture: &Picture) -> Square {
            let image = picture.shapes.iter().find_map(|shape| match shape {
                crate::report::picture::Shape::Image { at, size, .. } => Some((*at, *size)),
                _ => None,
            });
            let (at, size) = image.expect("a map holds an image");
            let scale = picture.scale();
            let drawn = pixels(picture, scale).unwrap();
            Square { drawn, corner: at.map(|v| v * scale), side: size[0] * scale }
        }

        fn at(&self, [x, y]: [f64; 2]) -> Color {
            let x = self.corner[0] + self.side * x as f32;
            let y = self.corner[1] + self.side * (1.0 - y as f32);
            let p = self.drawn.pixel(x as u32, y as u32).unwrap();
            Color::new(p.red(), p.green(), p.blue())
        }
    }

    fn near(a: Color, b: Color, most: u8) -> bool {
        let pairs = [(a.red, b.red), (a.green, b.green), (a.blue, b.blue)];
        pairs.into_iter().all(|(a, b)| a.abs_diff(b) <= most)
    }

    fn words() -> Words {
        Words::new("title", "subtitle")
    }

    #[test]
    fn contours_are_dark_where_the_surface_is_low() {
        let surface = Surface::named("himmelblau", None).unwrap();
        let plane = Plane::of_two(&surface).unwrap();
        let field =
            map::field(&Engine::cpu(), &surface, &plane, [400, 400], Precision::F32, &mut Watch::none()).unwrap();
        let tone = Tone::of(field.values.iter().copied());
        let picture = contour(&words(), &plane, &field, &tone, &[]);
        let square = Square::of(&picture);
        assert_eq!(square.side, 400.0);
        for minimum in surface.minima() {
            assert_eq!(square.at(plane.place([minimum.x[0], minimum.x[1]])), colormap::sequential(0.0), "{minimum:?}");
        }
        // The highest corner, off its border.
        assert_eq!(square.at([0.985, 0.985]), colormap::sequential(1.0));
        assert!(picture.svg().matches("<polyline").count() > 40);
    }

    #[test]
    fn basins_have_the_colours_of_their_minima() {
        let surface = Surface::named("himmelblau", None).unwrap();
        let plane = Plane::of_two(&surface).unwrap();
        let descents = Descents::suited(&surface, &plane).unwrap();
        let found = map::basins(&Engine::cpu(), &surface, &plane, 300, &descents, &mut Watch::none()).unwrap();
        let square = Square::of(&basins(&words(), &plane, &found));
        for (i, basin) in found.basins.iter().take(4).enumerate() {
            // At the mark, and in the basin beside it.
            assert!(near(square.at(plane.place([basin.x[0], basin.x[1]])), KINDS[i], 2), "{basin:?}");
            let beside = square.at(plane.place([basin.x[0] - 0.4, basin.x[1] - 0.4]));
            let shade =
                (0..=100).map(|t| colormap::darkened(KINDS[i], f64::from(t) / 100.0)).find(|c| near(*c, beside, 3));
            assert!(shade.is_some(), "{basin:?}: {beside:?}");
        }
    }

    #[test]
    fn the_edge_of_a_bowl_is_where_theory_has_it() {
        let domain = crate::random::Domain::cube(2, -1.0, 1.0);
        let bowl = Surface::formula("2*x[0]^2 + 0.5*x[1]^2", domain).unwrap();
        let plane = Plane::of_two(&bowl).unwrap();
        let descents = Descents { optimizer: "sgd".to_owned(), ..Descents::suited(&bowl, &plane).unwrap() };
        let (x, y) = (Span::new("lr", 0.1, 0.9, false).unwrap(), Span::new("x0", 0.1, 1.0, false).unwrap());
        let (against, engine) = (Against::Coordinate(0), Engine::cpu());
        let found =
            map::rates(&engine, &bowl, &[0.0, 0.3], &x, &y, &against, 300, &descents, &mut Watch::none()).unwrap();
        let square = Square::of(&rates(&words(), &found));
        for height in [0.1, 0.5, 0.9] {
            let blue = |lr: f64| {
                let c = square.at([x.place(lr), height]);
                c.blue > c.red
            };
            assert!(blue(0.2) && blue(0.49) && !blue(0.51) && !blue(0.85), "{height}");
        }
    }

    #[test]
    fn ways_and_reliefs_are_drawn() {
        let surface = Surface::named("six_hump_camel", None).unwrap();
        let plane = Plane::of_two(&surface).unwrap();
        let engine = Engine::cpu();
        let field = map::field(&engine, &surface, &plane, [300, 300], Precision::F32, &mut Watch::none()).unwrap();
        let tone = Tone::of(field.values.iter().copied());
        let descents = Descents::suited(&surface, &plane).unwrap();
        let starts = crate::random::Points::new(2, vec![-2.0, 1.0]).unwrap();
        let names = ["sgd(lr=0.01)".to_owned(), "adam(lr=0.05)".to_owned()];
        let (ways, _) = map::tracks(&engine, &surface, &names, &starts, &descents, &mut Watch::none()).unwrap();
        let picture = trajectories(&words(), &plane, &field, &tone, &ways, &[]);
        let text = picture.svg();
        assert!(text.contains(">sgd</text>") && text.contains(">adam(lr=0.05)</text>"));
        let square = Square::of(&picture);
        // A hollow mark at the start.
        assert_eq!(square.at(plane.place([-2.0, 1.0])), crate::report::picture::color::WHITE);
        let land = Square::of(&relief(&words(), &plane, &field, &tone));
        let coloured = land.drawn.pixels().iter().filter(|p| p.red().abs_diff(p.blue()) > 20).count();
        assert!(coloured > 20_000, "{coloured}");
    }

    #[test]
    fn what_is_not_finite_is_grey_and_told() {
        let domain = crate::random::Domain::cube(2, -1.0, 1.0);
        let surface = Surface::formula("log(x[0]) + x[1]^2", domain).unwrap();
        let plane = Plane::of_two(&surface).unwrap();
        let field =
            map::field(&Engine::cpu(), &surface, &plane, [240, 240], Precision::F32, &mut Watch::none()).unwrap();
        assert_eq!(field.undefined(), 240 * 120);
        let tone = Tone::of(field.values.iter().copied());
        let picture = contour(&words(), &plane, &field, &tone, &[]);
        assert_eq!(Square::of(&picture).at([0.25, 0.5]), colormap::NO_NUMBER);
        assert!(picture.svg().contains("not finite (50 %)"));
    }
}
