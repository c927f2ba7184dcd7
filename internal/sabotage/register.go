package main

// registers is what keeps the register's records each authority's own, and each of them there once.
var registers = []patch{
	{"job-of-another-department", "internal/sqlstore/jobstore/jobstore.go", `FROM import_jobs WHERE id = $1 AND issuer = $2`, `FROM import_jobs WHERE id = $1 AND issuer <> $2 || '!'`,
		"wallet/register/job", "TestDepartmentsNeverSeeEachOthersJobs" + sqlite},
	{"job-of-another-file", "wallet/register/job/upload.go", `case j.SHA256 != "" && j.SHA256 != got:`, `case j.SHA256 != "" && len(got) == 0:`,
		"wallet/register/job", "TestAnUploadThatBrokeOff" + sqlite},
	{"taken-in-for-another-holder", "wallet/register/succeed.go", `case !own && (!op.OtherAuthority || !same || !op.Allows(old.Status)):`, `case !own && (!op.OtherAuthority || !op.Allows(old.Status)):`,
		"wallet/register", "TestSuccessionIsLawfulOrNothing" + sqlite},
	{"transfer-undone-after-all", "wallet/register/change.go", `if !op.Allows(l.Status) || op.To == StatusValid && l.Successor != "" {`, `if !op.Allows(l.Status) {`,
		"wallet/register", "TestATransferThatWasTakenIn" + sqlite},
	{"image-of-any-kind", "wallet/register/licencetype/image.go", `if !slices.Contains(media, sniff(b)) {`, `if !slices.Contains(media, sniff(b)) && len(b) == 0 {`, "wallet/register/licencetype", "TestImagesOfRecords"},
}
