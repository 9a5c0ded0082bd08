using Microsoft.Win32.SafeHandles;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Log;

/// <summary>Adds frames to one file of the log. A frame that could not be written whole is written over by the next.</summary>
internal sealed class LogWriter : IDisposable
{
    private readonly SafeFileHandle _file;
    private readonly ByteSink _bytes = new();

    public LogWriter(string path, long sequence)
    {
        Path = path;
        Sequence = sequence;
        _file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(_file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
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
        RandomAccess.Write(_file, _bytes.Written, Length);
        Length += _bytes.Length;
        Records += records.Length;
    }

    /// <summary>What was added is on the disk when this returns.</summary>
    public void Flush() => RandomAccess.FlushToDisk(_file);

    public void Dispose() => _file.Dispose();
}
