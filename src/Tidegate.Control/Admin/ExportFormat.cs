using Microsoft.AspNetCore.Http;

namespace Tidegate.Control.Admin;

/// <summary>In which form an answer is wanted.</summary>
internal enum ExportFormat
{
    Json,
    Csv,
    Parquet,
}

/// <summary>Finds out: by <c>format</c>, else by <c>Accept</c>.</summary>
internal static class ExportFormats
{
    public const string Parameter = "format";
    public const string CsvType = "text/csv; charset=utf-8";
    public const string ParquetType = "application/vnd.apache.parquet";

    /// <summary>What is wrong with the parameter, or null.</summary>
    public static string? Read(HttpRequest request, bool hasParquet, out ExportFormat format)
    {
        format = ExportFormat.Json;
        if (!request.Query.TryGetValue(Parameter, out var word))
        {
            var accept = request.Headers.Accept.ToString();
            format = accept.Contains("text/csv", StringComparison.OrdinalIgnoreCase) ? ExportFormat.Csv
                : hasParquet && accept.Contains(ParquetType, StringComparison.OrdinalIgnoreCase) ? ExportFormat.Parquet
                : ExportFormat.Json;
            return null;
        }

        switch (word.ToString())
        {
            case "json":
                return null;
            case "csv":
                format = ExportFormat.Csv;
                return null;
            case "parquet" when hasParquet:
                format = ExportFormat.Parquet;
                return null;
            default:
                return hasParquet ? "'format' must be json, csv or parquet" : "'format' must be json or csv";
        }
    }
}
