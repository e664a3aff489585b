// Which row of the surface's table a draw of a step's batch takes. Twin of src/random/rows.rs, which says how and why: the
// same bits there and on every device. The generated module declares ROWS, BATCH, REPLACEMENT and COLUMNS.

var<private> row_address: vec2<u32>; // third and fourth word of the counter that row_words came from
var<private> row_words: vec4<u32>;
var<private> row_known: bool;

fn row_hash(value: u32) -> u32 {
    let a = value * 0x9e3779b1u;
    let b = (a ^ (a >> 16u)) * 0x85ebca6bu;
    return b ^ (b >> 13u);
}

// A permutation of 0 to 2^bits - 1.
fn row_feistel(value: u32, bits: u32) -> u32 {
    if (bits == 0u) {
        return 0u;
    }
    var high = (bits + 1u) / 2u;
    var low = bits / 2u;
    var left = value >> low;
    var right = value & ((1u << low) - 1u);
    for (var round = 0u; round < 6u; round++) {
        let mixed = left ^ (row_hash(right ^ (row_words[round & 3u] + round)) & ((1u << high) - 1u));
        left = right;
        right = mixed;
        let width = high;
        high = low;
        low = width;
    }
    return (left << low) | right;
}

fn row_draw(address: vec2<u32>) {
    if (!row_known || any(row_address != address)) {
        row_known = true;
        row_address = address;
        row_words = words(address.x, address.y);
    }
}

fn pick_row(step: u32, draw: u32) -> u32 {
    if (REPLACEMENT) {
        row_draw(vec2<u32>(step, ROW_TAG | (draw / 4u)));
        return mul_wide(row_words[draw & 3u], ROWS).y;
    }
    let position = (step - 1u) * BATCH + draw;
    row_draw(vec2<u32>(position / ROWS, ROW_TAG | 0x00ffffffu));
    let bits = 32u - countLeadingZeros(ROWS - 1u);
    var place = row_feistel(position % ROWS, bits);
    while (place >= ROWS) {
        place = row_feistel(place, bits);
    }
    return place;
}
