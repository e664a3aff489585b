//! Pictures as SVG: words stay words, in the viewer's font where it has not ours.

use super::{Anchor, Color, Picture, Shape};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write;

/// The document.
pub(super) fn text(picture: &Picture) -> String {
    let (width, height) = (picture.width, picture.height);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"'DejaVu Sans', Verdana, sans-serif\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    for shape in &picture.shapes {
        // Writing to a string cannot fail.
        let _ = write(&mut out, shape);
    }
    out + "</svg>\n"
}

fn write(out: &mut String, shape: &Shape) -> std::fmt::Result {
    match shape {
        Shape::Line { points, color, width, dash } => {
            out.push_str("<polyline points=\"");
            for [x, y] in points {
                write!(out, "{} {} ", short(*x), short(*y))?;
            }
            let dash = if *dash { " stroke-dasharray=\"5 4\"" } else { "" };
            write!(out, "\" fill=\"none\" {} stroke-width=\"{width}\"", paint("stroke", *color))?;
            writeln!(out, " stroke-linejoin=\"round\"{dash}/>")
        }
        Shape::Dots { at, radius, color } => {
            writeln!(out, "<g {}>", paint("fill", *color))?;
            for [x, y] in at {
                writeln!(out, "<circle cx=\"{}\" cy=\"{}\" r=\"{radius}\"/>", short(*x), short(*y))?;
            }
            writeln!(out, "</g>")
        }
        Shape::Box { at: [x, y], size: [width, height], color } => {
            let fill = paint("fill", *color);
            let [x, y, width, height] = [x, y, width, height].map(|v| short(*v));
            writeln!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" {fill}/>")
        }
        Shape::Polygon { points, color } => {
            out.push_str("<polygon points=\"");
            for [x, y] in points {
                write!(out, "{} {} ", short(*x), short(*y))?;
            }
            writeln!(out, "\" {}/>", paint("fill", *color))
        }
        Shape::Image { at: [x, y], size: [width, height], raster } => {
            let [x, y, width, height] = [x, y, width, height].map(|v| short(*v));
            write!(
                out,
                "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\""
            )?;
            // An image that cannot be packed has no pixels.
            let data = super::png::packed(raster).map(|bytes| STANDARD.encode(bytes)).unwrap_or_default();
            writeln!(out, " image-rendering=\"auto\" href=\"data:image/png;base64,{data}\"/>")
        }
        Shape::Text { at: [x, y], size, anchor, upward, color, text } => {
            let anchor = match anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            let turn = if *upward { " rotate(-90)" } else { "" };
            write!(out, "<text transform=\"translate({} {}){turn}\" font-size=\"{size}\"", short(*x), short(*y))?;
            writeln!(out, " text-anchor=\"{anchor}\" {}>{}</text>", paint("fill", *color), escape(text))
        }
    }
}

/// A place to a hundredth.
fn short(v: f32) -> f32 {
    (100.0 * v).round() / 100.0
}

fn paint(what: &str, color: Color) -> String {
    let Color { red, green, blue, opacity } = color;
    let see_through = match opacity {
        255 => String::new(),
        part => format!(" {what}-opacity=\"{:.2}\"", f32::from(part) / 255.0),
    };
    format!("{what}=\"#{red:02x}{green:02x}{blue:02x}\"{see_through}")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
