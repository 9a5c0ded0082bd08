using System.Globalization;

namespace Tidegate.Control.Store.Segments;

/// <summary>One Parquet file: the records of one file of the log. Its name says which, and from when to when its exchanges began.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="Sequence">The log file's number.</param>
/// <param name="From">The earliest start, in whole seconds rounded down.</param>
/// <param name="To">The latest, rounded up.</param>
/// <param name="Bytes">Its size.</param>
internal sealed record SegmentFile(string Path, long Sequence, DateTimeOffset From, DateTimeOffset To, long Bytes)
{
    public const string Extension = ".parquet";

    /// <summary>What is being written, and what could not be read.</summary>
    public const string Unfinished = ".unfinished";
    public const string Corrupt = ".corrupt";

    public static string Name(long sequence, DateTimeOffset from, DateTimeOffset to) => string.Create(
        CultureInfo.InvariantCulture, $"{sequence:d10}-{from.ToUnixTimeSeconds()}-{to.ToUnixTimeSeconds() + 1}{Extension}");

    /// <summary>By its name; null when that is no segment's.</summary>
    public static SegmentFile? Of(string path)
    {
        var parts = System.IO.Path.GetFileNameWithoutExtension(path).Split('-');
        return path.EndsWith(Extension, StringComparison.Ordinal) && parts.Length == 3
            && TryNumber(parts[0], out var sequence) && TryNumber(parts[1], out var from) && TryNumber(parts[2], out var to)
            ? new SegmentFile(path, sequence, DateTimeOffset.FromUnixTimeSeconds(from), DateTimeOffset.FromUnixTimeSeconds(to), new FileInfo(path).Length)
            : null;
    }

    // Within what a time can be.
    private static bool TryNumber(string text, out long number) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number < 253_402_300_800;
}
