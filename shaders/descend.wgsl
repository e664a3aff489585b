// Descends: `params.steps` steps of one restart an invocation, nothing in memory between them.
//
// The generated parts take the places of the `//@` lines: `step` gives worst_x, worst_gradient, value and squared_norm, and
// new parameters and states that `commit` makes the current ones.

@compute @workgroup_size(64)
fn descend(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    if (!locate(id, groups)) {
        return;
    }
    if ((status[slot] & 0xffu) != RUNNING) {
        return;
    }
    var taken = status[params.count + slot];
    var before = values[LAST_VALUE * params.count + slot];
    var code = RUNNING;
    //@ load
    for (var k = 0u; k < params.steps; k++) {
        let row = (configuration * params.rows + k * params.advance) * HOST_SCALARS;
        let step = params.step + k + 1u;
        //@ step
        if (worst_gradient > HUGE) {
            code = NONFINITE;
            break;
        }
        //@ tests
        if (worst_x > GONE) {
            code = DIVERGED;
            break;
        }
        //@ commit
        taken += 1u;
    }
    //@ store
    status[slot] = (params.epoch << 8u) | code;
    status[params.count + slot] = taken;
    values[LAST_VALUE * params.count + slot] = before;
}
