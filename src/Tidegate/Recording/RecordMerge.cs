namespace Tidegate.Recording;

/// <summary>
/// Brings the few records of a quiet time into the order in which their exchanges ended, whichever core they ended on: that is when somebody reads along. A
/// busy gateway's stay in the order of each core.
/// </summary>
internal static class RecordMerge
{
    /// <summary>Moves all records into one block when one can hold them; the others are empty afterwards.</summary>
    /// <returns>The block that holds them all; null when they are too many, and nothing was moved.</returns>
    public static RecordBlock? TryMerge(ReadOnlySpan<RecordBlock> blocks)
    {
        var count = 0;
        foreach (var block in blocks)
        {
            count += block.Count;
        }

        if (count > RecordBlock.Size)
        {
            return null;
        }

        // Each is in order already: from behind, into the place where the last record belongs.
        var merged = blocks[0];
        foreach (var block in blocks[1..])
        {
            foreach (ref readonly var record in block.Records)
            {
                Insert(merged, in record);
            }

            block.Clear();
        }

        return merged;
    }

    /// <summary>When an exchange ended.</summary>
    public static DateTimeOffset EndOf(in ExchangeRecord record) => record.Started + record.Total;

    private static void Insert(RecordBlock block, in ExchangeRecord record)
    {
        var ended = EndOf(in record);
        _ = block.Add();
        var records = block.Records;
        var place = records.Length - 1;
        while (place > 0 && EndOf(in records[place - 1]) > ended)
        {
            records[place] = records[place - 1];
            place--;
        }

        records[place] = record;
    }
}
