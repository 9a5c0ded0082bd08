using System.Runtime.InteropServices;

namespace Tidegate.Transport;

/// <summary>
/// What the kernel is told of a thread. Where cores are fewer than threads that want them, a request must not wait for the end of a turn that writes its predecessors'
/// records. Hints only: on a kernel that does not know them, or forbids them, nothing is lost but some of the tail.
/// </summary>
internal static unsafe partial class SchedulingHint
{
    // The shortest that the kernel takes. A thread that wakes with a shorter slice than the running one's interrupts it, from Linux 6.12 on; older kernels ignore it.
    private const ulong ShortSliceNanoseconds = 100_000;

    // A third of a full share: a saturated machine still records everything, and one that is not lets traffic go first.
    private const int GivingWayNiceness = 5;

    /// <summary>The calling thread works in short turns and should have each of them soon.</summary>
    public static void RunsSoon()
    {
        var number = RuntimeInformation.ProcessArchitecture switch
        {
            Architecture.X64 => 314,
            Architecture.Arm64 => 274,
            _ => 0,
        };
        if (OperatingSystem.IsLinux() && number != 0)
        {
            var attributes = new Attributes { Size = (uint)sizeof(Attributes), RuntimeNanoseconds = ShortSliceNanoseconds };
            _ = syscall(number, 0, &attributes, 0);
        }
    }

    /// <summary>The calling thread's work can wait for that of others.</summary>
    public static void GivesWay()
    {
        if (OperatingSystem.IsLinux())
        {
            _ = setpriority(0, 0, GivingWayNiceness);
        }
    }

    [LibraryImport("libc")]
    private static partial nint syscall(nint number, nint thread, Attributes* attributes, nint flags);

    [LibraryImport("libc")]
    private static partial int setpriority(int which, int who, int niceness);

    /// <summary>struct sched_attr, first version. Its zeros: the normal policy, niceness 0.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Attributes
    {
        public uint Size;
        public uint Policy;
        public ulong Flags;
        public int Niceness;
        public uint Priority;
        public ulong RuntimeNanoseconds;
        public ulong DeadlineNanoseconds;
        public ulong PeriodNanoseconds;
    }
}
