using System.Text.Json;
using Tidegate.Configuration;
using Xunit;

namespace Tidegate.Tests.Configuration;

/// <summary>The shipped schema and the records that the binder fills say the same.</summary>
public sealed class ConfigSchemaTests
{
    [Fact]
    public void The_shipped_schema_is_the_one_that_the_records_give()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory!.FullName, "tidegate.slnx")))
        {
            directory = directory.Parent;
        }

        var shipped = File.ReadAllText(Path.Combine(directory.FullName, "docs/reference/tidegate.schema.json"));

        Assert.True(ConfigSchema.Text() == shipped, "Write it anew: dotnet run -c Release --project src/Tidegate.Host -- schema > docs/reference/tidegate.schema.json");
    }

    [Fact]
    public void Every_reference_leads_to_a_definition_and_every_key_is_described()
    {
        using var schema = JsonDocument.Parse(ConfigSchema.Text());
        var definitions = schema.RootElement.GetProperty("$defs");
        var text = ConfigSchema.Text();

        foreach (var definition in definitions.EnumerateObject())
        {
            Assert.Contains($"\"#/$defs/{definition.Name}\"", text, StringComparison.Ordinal);
            Assert.False(definition.Value.GetProperty("additionalProperties").GetBoolean());
            Assert.All(definition.Value.GetProperty("properties").EnumerateObject(), key => Assert.NotEmpty(key.Value.GetProperty("description").GetString()!));
        }
    }
}
