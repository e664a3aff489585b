// Which row of the surface's table a draw of a step's batch takes. Twin of src/random/rows.rs, which says how and why: the
// same bits there and on every device. The generated module declares ROWS, BATCH, REPLACEMENT and ROW_TAG.

var<private> row_address: vec2<u32>; // third and fourth word of the counter that row_words came from
var<private> row_words: vec4<u32>;
var<private> row_known: bool;

fn row_hash(value: u32) -> u32 {
    let a = (value ^ (value >> 16u)) * 0x7feb352du;
    let b = (a ^ (a >> 15u)) * 0x846ca68bu;
    return b ^ (b >> 16u);
}

// Where a permutation of the rows puts a place.
fn row_shuffled(first: u32) -> u32 {
    var place = first;
    for (var round = 0u; round < 24u; round++) {
        let key = row_hash(row_words[round & 3u] + 0x9e3779b9u * (round + 1u));
        let sum = mul_wide(key, ROWS).y;
        let partner = select(sum + (ROWS - place), sum - place, sum >= place);
        let coin = row_hash(max(place, partner) ^ row_hash(key)) >> 31u;
        place = select(place, partner, coin == 1u);
    }
    return place;
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
    return row_shuffled(position % ROWS);
}
