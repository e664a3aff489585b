// Evaluates as evaluate.wgsl does, with a workgroup for each restart.

@compute @workgroup_size(WIDTH)
fn evaluate(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let chosen = group.x + group.y * groups.x;
    if (chosen >= params.count) {
        return;
    }
    enter(chosen);
    let own = i32(lane);
    //@ evaluate
    if (lane == 0u) {
        conclude(value, squared_norm);
    }
}
