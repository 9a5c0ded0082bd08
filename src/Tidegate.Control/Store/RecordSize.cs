using System.Runtime.CompilerServices;
using Tidegate.Recording;

namespace Tidegate.Control.Store;

/// <summary>What records take in memory, more or less: what is configured is shared and not counted.</summary>
internal static class RecordSize
{
    // An object's head, and a string's length and end.
    private const int TextBytes = 24;

    // The client's address, who it is, what it cost.
    private const int ObjectBytes = 200;

    private const int NoteBytes = 100;

    public static long Of(ReadOnlySpan<ExchangeRecord> records)
    {
        var bytes = 0L;
        foreach (ref readonly var record in records)
        {
            bytes += Unsafe.SizeOf<ExchangeRecord>() + ObjectBytes + ((record.Retries.Count + record.Observed.Count) * NoteBytes)
                + Of(record.Path) + Of(record.Query) + Of(record.Host) + Of(record.Detail) + Of(record.Method) + Of(record.Consumer.Name) + Of(record.Consumer.Tenant);
        }

        return bytes;
    }

    private static int Of(string? text) => string.IsNullOrEmpty(text) ? 0 : TextBytes + (text.Length * sizeof(char));
}
