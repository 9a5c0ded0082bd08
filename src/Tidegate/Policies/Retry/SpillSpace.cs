using Tidegate.Transport;

namespace Tidegate.Policies.Retry;

/// <summary>
/// Where the content of large requests is kept while it may be needed for another attempt: files in the state directory that have no name any more when something is written to
/// them, so that nothing is left of them however the process ends. All disk work is done on other threads. What cannot be kept is attempted once.
/// </summary>
internal sealed class SpillSpace
{
    /// <summary>Within the state directory.</summary>
    public const string DirectoryName = "spill";

    /// <summary>1 GB in all: a disk for state has that much to spare, and 128 uploads of 8 MB fit.</summary>
    public const long MaxBytes = 1L << 30;

    // A disk that is slower than four writers makes the others wait; one that many wait for is asked nothing more.
    private const int MaxConcurrent = 4;
    private const int MaxWaiting = 256;

    private readonly Offload _offload = new(MaxConcurrent, MaxWaiting);
    private long _bytes;
    private long _failures;

    /// <summary>Kept now.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Times that content could not be kept: the disk failed or was too slow, or too much was kept already.</summary>
    public long Failures => Interlocked.Read(ref _failures);

    /// <summary>Keeps a piece of content.</summary>
    /// <param name="directory">The state directory.</param>
    /// <param name="file">Made with the first piece.</param>
    /// <param name="piece">What to keep.</param>
    /// <returns>The file; null when the piece could not be kept.</returns>
    public async ValueTask<SpillFile?> KeepAsync(string directory, SpillFile? file, ReadOnlyMemory<byte> piece)
    {
        if (Interlocked.Add(ref _bytes, piece.Length) > MaxBytes)
        {
            Fail(piece.Length);
            return null;
        }

        try
        {
            return await _offload.RunAsync((directory, file, piece), static work =>
            {
                if (work.file is { } known)
                {
                    known.Append(work.piece.Span);
                    return known;
                }

                return SpillFile.Make(Path.Combine(work.directory, DirectoryName)).Begin(work.piece.Span);
            });
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException or OffloadFullException)
        {
            Fail(piece.Length);
            return null;
        }
    }

    /// <summary>Reads what was kept.</summary>
    /// <returns>How much; -1 when it cannot be read any more.</returns>
    public async ValueTask<int> ReadAsync(SpillFile file, long position, Memory<byte> buffer)
    {
        try
        {
            return await _offload.RunAsync((file, position, buffer), static work => work.file.Read(work.position, work.buffer.Span));
        }
        catch (Exception failed) when (failed is IOException or OffloadFullException)
        {
            Fail(0);
            return -1;
        }
    }

    /// <summary>Nobody needs it any more. Closing frees what may be many blocks, so it is not done here.</summary>
    public void Release(SpillFile file)
    {
        Interlocked.Add(ref _bytes, -file.Length);
        ThreadPool.UnsafeQueueUserWorkItem(static closed => closed.Dispose(), file, preferLocal: false);
    }

    private void Fail(int bytes)
    {
        Interlocked.Add(ref _bytes, -bytes);
        Interlocked.Increment(ref _failures);
    }
}
