using Microsoft.Win32.SafeHandles;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Log;

/// <summary>Adds frames to one file of the log. What there is of a frame that could not be written whole is cut off before the next.</summary>
internal sealed class LogWriter : IDisposable
{
    private readonly SafeFileHandle _file;
    private readonly ByteSink _bytes = new();
    private readonly Action<SafeFileHandle> _flushToDisk;
    private readonly DiskWrite _writeToDisk;
    private bool _isTorn;

    /// <param name="path">Where there is no file yet.</param>
    /// <param name="sequence">Its number.</param>
    /// <param name="flushToDisk">See <see cref="StoreSettings.FlushToDisk"/>.</param>
    /// <param name="writeToDisk">See <see cref="StoreSettings.WriteToDisk"/>.</param>
    public LogWriter(string path, long sequence, Action<SafeFileHandle> flushToDisk, DiskWrite? writeToDisk = null)
    {
        _flushToDisk = flushToDisk;
        _writeToDisk = writeToDisk ?? RandomAccess.Write;
        Path = path;
        Sequence = sequence;
        _file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read);
        try
        {
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(_file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            }
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    public string Path { get; }

    /// <summary>Files of the log are numbered.</summary>
    public long Sequence { get; }

    /// <summary>Bytes of whole frames.</summary>
    public long Length { get; private set; }

    public long Records { get; private set; }

    /// <summary>Adds records as one frame.</summary>
    /// <exception cref="IOException">The disk is full, for example. Nothing was added.</exception>
    public void Add(ReadOnlySpan<ExchangeRecord> records)
    {
        _bytes.Clear();
        _bytes.Reserve(LogFrame.HeadBytes);
        _bytes.Number((ulong)records.Length);
        foreach (ref readonly var record in records)
        {
            RecordCodec.Write(_bytes, in record);
        }

        LogFrame.Seal(_bytes);
        if (_isTorn)
        {
            // A shorter frame over a torn one would leave a part of it behind itself.
            RandomAccess.SetLength(_file, Length);
        }

        _isTorn = true;
        _writeToDisk(_file, _bytes.Written, Length);
        _isTorn = false;
        Length += _bytes.Length;
        Records += records.Length;
    }

    /// <summary>What was added is on the disk when this returns. Others may add meanwhile.</summary>
    public void Flush() => _flushToDisk(_file);

    public void Dispose() => _file.Dispose();
}
