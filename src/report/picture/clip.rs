//! Lines cut off where they leave a box.

/// A box: its upper left and lower right corners.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clip {
    /// Upper left.
    pub(super) from: [f32; 2],
    /// Lower right.
    pub(super) to: [f32; 2],
}

impl Clip {
    /// Whether a place is inside, borders included.
    pub(super) fn holds(&self, at: [f32; 2]) -> bool {
        (0..2).all(|i| (self.from[i]..=self.to[i]).contains(&at[i]))
    }

    /// The parts of a line that are inside; `None` is a gap.
    pub(super) fn line(&self, points: impl IntoIterator<Item = Option<[f32; 2]>>) -> Vec<Vec<[f32; 2]>> {
        let mut runs: Vec<Vec<[f32; 2]>> = Vec::new();
        let mut before: Option<[f32; 2]> = None;
        for here in points {
            if let Some([a, b]) = before.zip(here).and_then(|(a, b)| self.segment(a, b)) {
                match runs.last_mut() {
                    Some(run) if run.last() == Some(&a) => run.push(b),
                    _ => runs.push(vec![a, b]),
                }
            }
            before = here;
        }
        runs
    }

    /// The part of a segment inside (Liang & Barsky 1984).
    fn segment(&self, a: [f32; 2], b: [f32; 2]) -> Option<[[f32; 2]; 2]> {
        let (mut from, mut to) = (0f32, 1f32);
        let step = [b[0] - a[0], b[1] - a[1]];
        for i in 0..2 {
            let (lo, hi) = (self.from[i], self.to[i]);
            if step[i] == 0.0 {
                if a[i] < lo || a[i] > hi {
                    return None;
                }
                continue;
            }
            let (near, far) = ((lo - a[i]) / step[i], (hi - a[i]) / step[i]);
            (from, to) = (from.max(near.min(far)), to.min(near.max(far)));
        }
        let at = |t: f32| match t {
            0.0 => a,
            1.0 => b,
            t => [a[0] + t * step[0], a[1] + t * step[1]],
        };
        (from < to).then(|| [at(from), at(to)])
    }
}
