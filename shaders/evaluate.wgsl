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
    conclude(value, squared_norm);
}
