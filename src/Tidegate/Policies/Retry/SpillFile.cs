using Microsoft.Win32.SafeHandles;

namespace Tidegate.Policies.Retry;

/// <summary>A file without a name that is added to at its end and read from anywhere. Its calls block.</summary>
internal sealed class SpillFile : IDisposable
{
    private readonly SafeFileHandle _handle;

    public SpillFile(SafeFileHandle handle) => _handle = handle;

    /// <summary>Bytes in it.</summary>
    public long Length { get; private set; }

    /// <summary>Makes one in a directory, which is made too.</summary>
    public static SpillFile Make(string directory)
    {
        // Content may be anybody's secret: nobody else may look into it in the moment in which it has a name.
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(directory);
            return new SpillFile(File.OpenHandle(Path.Combine(directory, Guid.NewGuid().ToString("N")), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, FileOptions.DeleteOnClose));
        }

        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var path = Path.Combine(directory, Guid.NewGuid().ToString("N"));
        var handle = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
        File.Delete(path);
        return new SpillFile(handle);
    }

    /// <summary>Takes the first piece; a file that cannot take it is closed, because nobody has it yet.</summary>
    public SpillFile Begin(ReadOnlySpan<byte> piece)
    {
        try
        {
            Append(piece);
            return this;
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public void Append(ReadOnlySpan<byte> piece)
    {
        RandomAccess.Write(_handle, piece, Length);
        Length += piece.Length;
    }

    /// <summary>Reads what is there from a position on.</summary>
    public int Read(long position, Span<byte> buffer) => RandomAccess.Read(_handle, buffer, position);

    public void Dispose() => _handle.Dispose();
}
