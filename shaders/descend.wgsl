// Descends: `params.steps` steps of ABREAST restarts an invocation, nothing in memory between them.
//
// An invocation takes its restarts from the list of those that were running when it was written, 64 apart. The generated
// parts take the places of the `//@` lines: `enter` loads restarts, `begins` says at which of the steps they begin, `steady`
// and `host` load the host scalars that are the same at every step and those that are not, `step` makes a step of each and says
// whether it stands, `leave` stores. A step stands here once: of two copies a compiler may contract one otherwise than the
// other, and a step's bits would depend on its dispatch.

@compute @workgroup_size(64)
fn descend(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let first = (group.x + group.y * groups.x) * (64u * ABREAST) + lane;
    if (first >= params.listed) {
        return;
    }
    //@ enter
    //@ begins
    //@ steady
    for (var k = begins; k < params.steps; k++) {
        let step = params.step + k + 1u;
        //@ host
        //@ step
    }
    //@ leave
}
