// The ioctls that make handles. An open set; what is missing here is found by the reconciliation with /proc/PID/fd.
#include "agent/made_hooks.h"

namespace culprit::agent {

namespace {

constexpr int16_t in_result = -1;

struct HandleMakingIoctl {
  uint32_t request;
  int16_t offset;  // of the fd in the argument struct; in_result: the return value is it
};

constexpr HandleMakingIoctl makers[] = {
    {0x5441, in_result},      // TIOCGPTPEER
    {0xb701, in_result},      // NS_GET_USERNS
    {0xb702, in_result},      // NS_GET_PARENT
    {0x894c, in_result},      // SIOCGSKNS
    {0xaa00, in_result},      // USERFAULTFD_IOC_NEW
    {0xae01, in_result},      // KVM_CREATE_VM
    {0xae41, in_result},      // KVM_CREATE_VCPU
    {0xaece, in_result},      // KVM_GET_STATS_FD
    {0xc00caee0, 4},          // KVM_CREATE_DEVICE
    {0x3b6a, in_result},      // VFIO_GROUP_GET_DEVICE_FD
    {0xc00c642d, 8},          // DRM_IOCTL_PRIME_HANDLE_TO_FD
    {0xc01064c1, 8},          // DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD
    {0xc0184800, 8},          // DMA_HEAP_IOCTL_ALLOC
    {0x40187542, in_result},  // UDMABUF_CREATE
    {0x40087543, in_result},  // UDMABUF_CREATE_LIST
    {0xc0303e03, 36},         // SYNC_IOC_MERGE
    {0xff01, in_result},      // PIDFD_GET_CGROUP_NAMESPACE
    {0xff02, in_result},      // PIDFD_GET_IPC_NAMESPACE
    {0xff03, in_result},      // PIDFD_GET_MNT_NAMESPACE
    {0xff04, in_result},      // PIDFD_GET_NET_NAMESPACE
    {0xff05, in_result},      // PIDFD_GET_PID_NAMESPACE
    {0xff06, in_result},      // PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE
    {0xff07, in_result},      // PIDFD_GET_TIME_NAMESPACE
    {0xff08, in_result},      // PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE
    {0xff09, in_result},      // PIDFD_GET_USER_NAMESPACE
    {0xff0a, in_result},      // PIDFD_GET_UTS_NAMESPACE
};

}  // namespace

void made_by_ioctl(const Registers& registers, uint32_t call) {
  auto request_number = static_cast<uint32_t>(registers.rsi);
  for (const HandleMakingIoctl& maker : makers) {
    if (maker.request != request_number) continue;
    culprit_record record = new_record(CULPRIT_RECORD_OPEN, call);
    record.value = maker.offset == in_result
                       ? static_cast<int32_t>(registers.rax)
                       : *reinterpret_cast<const int32_t*>(registers.rdx + static_cast<uint64_t>(maker.offset));
    record.extra = request_number;
    if (record.value >= 0) emit(registers, record);
    return;
  }
}

}  // namespace culprit::agent
