// Descends with a workgroup for each restart, whose WIDTH invocations share the coordinates: `params.steps` steps.
//
// A workgroup takes its restart from the list of those that were running when it was written. The generated parts take the
// places of the `//@` lines, as in descend.wgsl. Whatever decides where a step ends is computed by every invocation from the
// same words in the same order, so all leave together. Twins: src/gpu/spread_descent.rs and src/gpu/spread_print.rs.

var<workgroup> begun: vec4<u32>; // the slot, its status, steps taken, and the bits of the value one step ago

@compute @workgroup_size(WIDTH)
fn descend(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let first = group.x + group.y * groups.x;
    if (first >= params.listed) {
        return;
    }
    if (lane == 0u) {
        let chosen = queue.slots[params.list + first];
        let last = bitcast<u32>(values[LAST_VALUE * params.count + chosen]);
        begun = vec4<u32>(chosen, status[chosen], status[params.count + chosen], last);
    }
    let found = workgroupUniformLoad(&begun);
    enter(found.x);
    if ((found.y & 0xffu) != RUNNING) {
        return;
    }
    let own = i32(lane);
    var code = RUNNING;
    var taken = found.z;
    //@ enter
    //@ steady
    for (var k = 0u; k < params.steps; k++) {
        let step = params.step + k + 1u;
        //@ host
        //@ step
    }
    //@ leave
}
