using System.Globalization;

namespace Tidegate.Control.Store.Segments;

/// <summary>One Parquet file: the records of one file of the log, or of several that were small. Its name says of which, and from when to when its exchanges began.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="First">The log file's number; of several the first's.</param>
/// <param name="Last">The last's.</param>
/// <param name="From">The earliest start, in whole seconds rounded down.</param>
/// <param name="To">The latest, rounded up.</param>
/// <param name="Bytes">Its size.</param>
internal sealed record SegmentFile(string Path, long First, long Last, DateTimeOffset From, DateTimeOffset To, long Bytes)
{
    public const string Extension = ".parquet";

    /// <summary>What is being written, and what could not be read.</summary>
    public const string Unfinished = ".unfinished";
    public const string Corrupt = ".corrupt";

    // Within what a time can be.
    private const long MaxSeconds = 253_402_300_800;

    /// <summary>Of one file of the log: NUMBER-FROM-TO; of several: FIRST-LAST-FROM-TO.</summary>
    public static string Name(long first, long last, DateTimeOffset from, DateTimeOffset to)
    {
        var numbers = first == last ? $"{last:d10}" : $"{first:d10}-{last:d10}";
        return string.Create(CultureInfo.InvariantCulture, $"{numbers}-{Math.Max(0, from.ToUnixTimeSeconds())}-{Math.Clamp(to.ToUnixTimeSeconds() + 1, 0, MaxSeconds - 1)}{Extension}");
    }

    /// <summary>By its name; null when that is no segment's.</summary>
    public static SegmentFile? Of(string path)
    {
        var parts = System.IO.Path.GetFileNameWithoutExtension(path).Split('-');
        var numbers = new long[parts.Length];
        for (var i = 0; i < parts.Length; i++)
        {
            if (!long.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out numbers[i]) || numbers[i] >= MaxSeconds)
            {
                return null;
            }
        }

        return path.EndsWith(Extension, StringComparison.Ordinal) && numbers is [.. var sequences, var from, var to] && sequences.Length is 1 or 2 && sequences[0] <= sequences[^1]
            ? new SegmentFile(path, sequences[0], sequences[^1], DateTimeOffset.FromUnixTimeSeconds(from), DateTimeOffset.FromUnixTimeSeconds(to), new FileInfo(path).Length)
            : null;
    }

    /// <summary>Whether a log file, or a whole segment, is in this one.</summary>
    public bool Has(long first, long last) => First <= first && last <= Last;
}
