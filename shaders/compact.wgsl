// Writes the other list of `queue`: the listed slots whose restarts still run. Their order is the device's choice.

@compute @workgroup_size(64)
fn compact(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = id.x + id.y * groups.x * 64u;
    if (index >= params.listed) {
        return;
    }
    let running = queue.slots[params.list + index];
    if (runs(status[running] & 0xffu)) {
        queue.slots[params.count - params.list + atomicAdd(&queue.next, 1u)] = running;
    }
}
