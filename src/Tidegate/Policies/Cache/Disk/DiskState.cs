using System.IO.MemoryMappedFiles;
using System.Security.Cryptography;
using System.Text;

namespace Tidegate.Policies.Cache.Disk;

/// <summary>
/// What must outlive the process at any moment: the key of the hashes and the epochs of purges, in a file that is mapped into memory. A purge so costs no call of the
/// system, and holds even when the process is killed in the next instant. Only the machine's own death can lose some; the next start sees that it happened.
/// </summary>
internal sealed unsafe class DiskState : IDisposable
{
    public const string FileName = "state";

    /// <summary>Head, prefixes and places.</summary>
    public const int Bytes = EpochMemory.Bytes + HeadBytes;

    private const int HeadBytes = 4096;
    private const long Magic = 0x3130_4554_4944_4754;
    private const int SecretAt = 8;
    private const int BootAt = 24;
    private const int CleanAt = 40;
    private const string BootIdFile = "/proc/sys/kernel/random/boot_id";

    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _memory;

    private DiskState(MemoryMappedFile file, MemoryMappedViewAccessor view, byte* memory)
    {
        (_file, _view) = (file, view);
        _memory = memory;
        var boot = BootId();
        var isOurs = *(long*)memory == Magic;
        IsTrusted = isOurs && (memory[CleanAt] == 1 || (boot is not null && boot.AsSpan().SequenceEqual(new ReadOnlySpan<byte>(memory + BootAt, 16))));
        if (!IsTrusted)
        {
            // Purges may have been lost with the machine's memory: what they were for must not be used.
            new Span<byte>(memory, Bytes).Clear();
            RandomNumberGenerator.Fill(new Span<byte>(memory + SecretAt, 16));
            *(long*)memory = Magic;
        }

        (boot ?? new byte[16]).CopyTo(new Span<byte>(memory + BootAt, 16));
        memory[CleanAt] = 0;

        // Before the first purge, and before the first answer is written: should the machine go down, what is on the disk must not say that all went well.
        view.Flush();
        Epochs = new EpochMemory(memory + HeadBytes);
    }

    /// <summary>What was stored under it may be used.</summary>
    public bool IsTrusted { get; }

    public UInt128 Secret => new(*(ulong*)(_memory + SecretAt), *(ulong*)(_memory + SecretAt + 8));

    public EpochMemory Epochs { get; }

    /// <exception cref="IOException">Also <see cref="UnauthorizedAccessException"/>.</exception>
    public static DiskState Open(string directory)
    {
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        var stream = new FileStream(Path.Combine(directory, FileName), options);
        try
        {
            // Written whole, also what is there already: a mapped page that the full disk has no room for would end the process when it is written to.
            var content = new byte[Bytes];
            if (stream.Length == Bytes)
            {
                stream.ReadExactly(content);
            }
            else
            {
                stream.SetLength(0);
            }

            RandomAccess.Write(stream.SafeFileHandle, content, 0);

            var file = MemoryMappedFile.CreateFromFile(stream, null, Bytes, MemoryMappedFileAccess.ReadWrite, HandleInheritability.None, leaveOpen: false);
            var view = file.CreateViewAccessor(0, Bytes);
            byte* memory = null;
            view.SafeMemoryMappedViewHandle.AcquirePointer(ref memory);
            return new DiskState(file, view, memory);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Everything that was stored is on the disk: the next start may trust it even after the machine has been down.</summary>
    public void MarkClean()
    {
        _view.Flush();
        _memory[CleanAt] = 1;
        _view.Flush();
    }

    // The pointer stays valid: epochs may be asked by an exchange that has not ended yet. The process is about to end.
    public void Dispose() => _file.Dispose();

    /// <summary>Changes with each start of the machine; null where nobody says.</summary>
    private static byte[]? BootId()
    {
        try
        {
            return MD5.HashData(Encoding.ASCII.GetBytes(File.ReadAllText(BootIdFile)));
        }
        catch (Exception missing) when (missing is IOException or UnauthorizedAccessException)
        {
            // Not Linux: after a kill nothing is trusted.
            return null;
        }
    }
}
