// Evaluates value, gradient norm and, where it is asked for, the gradient at every restart's point; at the end of a launch
// it also settles how each restart ended.
//
// The generated part takes the place of the `//@` line and gives value and squared_norm.

@compute @workgroup_size(64)
fn evaluate(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    if (!locate(id, groups)) {
        return;
    }
    //@ evaluate
    values[params.region * params.count + slot] = value;
    values[(params.region + 1u) * params.count + slot] = sqrt(squared_norm);
    if (params.last == 0u) {
        return;
    }
    var code = status[slot] & 0xffu;
    if (code == RUNNING) {
        let taken = status[params.count + slot];
        code = reason(value, squared_norm, values[LAST_VALUE * params.count + slot], taken > 0u);
        if (magnitude(value) >= INFINITE || magnitude(squared_norm) > INFINITE) {
            code = NONFINITE;
        }
        if (code == RUNNING) {
            code = MAX_STEPS;
        }
    }
    status[slot] = (params.epoch << 8u) | code;
}
