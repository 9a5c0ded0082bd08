using System.Runtime.InteropServices;

namespace Tidegate.Control.Store.Files;

/// <summary>What engines took of the C library and gave back to it, which keeps it for the next who asks.</summary>
internal static partial class NativeMemory
{
    /// <summary>Gives it back to the machine. A hint: another C library than glibc keeps it.</summary>
    public static void GiveBack()
    {
        if (OperatingSystem.IsLinux())
        {
            try
            {
                _ = malloc_trim(0);
            }
            catch (EntryPointNotFoundException)
            {
                return;
            }
        }
    }

    [LibraryImport("libc")]
    private static partial int malloc_trim(nint pad);
}
