// Begins a launch: poisons what it will write, lists all slots, sets the states, and draws the starts where they are drawn on the device.
//
// `tables` holds lo, width and hi of every coordinate, then the initial states of every configuration.

@compute @workgroup_size(64)
fn begin(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    if (!locate(id, groups)) {
        return;
    }
    status[slot] = (params.epoch << 8u) | RUNNING;
    status[params.count + slot] = 0u;
    queue.slots[slot] = slot;
    // Loops of as many turns as no compiler knows: it need not write them out.
    for (var region = 0u; region < REGIONS + params.zero; region++) {
        values[region * params.count + slot] = bitcast<f32>(0x7fa5a5a5u ^ params.zero);
    }
    let dim = DIM + params.zero;
    for (var k = 0u; k < STATES; k++) {
        let initial = tables[3u * DIM + configuration * STATES + k];
        for (var i = 0u; i < dim; i++) {
            states[packed_place(k * PADDED + i)] = initial;
        }
    }
    if (params.sampled == 0u) {
        return;
    }
    for (var block = 0u; 4u * block < dim; block++) {
        let four = words(0u, block);
        for (var j = 0u; j < 4u; j++) {
            let i = 4u * block + j;
            if (i < dim) {
                let start = start_uniform(four[j], tables[i], tables[DIM + i], tables[2u * DIM + i], params.zero);
                xs[packed_place(i)] = start;
            }
        }
    }
}
